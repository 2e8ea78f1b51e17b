// Publishes events to Duly over HTTP in one batch and ends when they are committed, all of them or none.
//
//   DULY_URL=https://duly.example DULY_API_KEY=duly_… node publish-http.mjs fees events.json
//
// Exit status 0: committed. 1: refused; every fault is told.
import { setTimeout as pause } from "node:timers/promises";
import { eventsOf } from "./events.mjs";

const [source, file] = process.argv.slice(2);
const body = JSON.stringify(await eventsOf(file, source)); // made once: sent again, it is the same, and counts once
const answer = await sent(body);
const told = await answer.json();

if (answer.ok) {
  for (const event of told.events) console.log(JSON.stringify(event));
} else {
  console.error(`${told.status} ${told.title}: ${told.detail}`); // RFC 9457
  for (const { pointer, detail } of told.errors) console.error(`  ${pointer}: ${detail}`);
  process.exitCode = 1;
}

/** Sends until there is an answer that counts: nobody answered, 429 and 5xx mean "the same again, later". */
async function sent(body) {
  for (let wait = 1; ; wait = Math.min(wait * 2, 60)) {
    const answer = await fetch(new URL("/v1/events", process.env.DULY_URL), {
      method: "POST",
      headers: {
        authorization: `Bearer ${process.env.DULY_API_KEY}`,
        "content-type": "application/cloudevents-batch+json",
      },
      body,
    }).catch((fault) => ({ status: 0, fault, headers: new Headers() }));
    if (answer.status && answer.status !== 429 && answer.status < 500) return answer;
    const seconds = Number(answer.headers.get("retry-after")) || wait;
    console.error(`${answer.status || answer.fault.cause?.code}: again in ${seconds} s`);
    await pause(seconds * 1000);
  }
}
