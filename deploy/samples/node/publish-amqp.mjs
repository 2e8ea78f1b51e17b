// Publishes events to Duly over AMQP and ends when the broker has confirmed that a queue has each.
//
//   DULY_BROKER_URL=amqp://fees:password@broker.example/ node publish-amqp.mjs fees events.json
//
// Exit status 0: all are confirmed. 1: some are not; run it again with the same ids (keep them with the events).
import amqp from "amqplib";
import { eventsOf } from "./events.mjs";

const [source, file] = process.argv.slice(2);
const url = new URL(process.env.DULY_BROKER_URL);
const user = decodeURIComponent(url.username) || "guest";

const connection = await amqp.connect(url.href);
const channel = await connection.createConfirmChannel();
const returned = new Set();
channel.on("return", (message) => returned.add(message.properties.messageId)); // no queue took it: it is not sent

const events = await eventsOf(file, source);
for (const event of events) {
  channel.publish("duly", event.type, Buffer.from(JSON.stringify(event)), {
    contentType: "application/cloudevents+json",
    deliveryMode: 2,
    messageId: event.id,
    userId: user, // the broker refuses any but the connection's own, so Duly can believe it
    mandatory: true,
  });
}
await channel.waitForConfirms(); // a return comes before its confirm
await connection.close();

for (const { id, type } of events) console.log(JSON.stringify({ id, type, confirmed: !returned.has(id) }));
process.exitCode = returned.size ? 1 : 0;
