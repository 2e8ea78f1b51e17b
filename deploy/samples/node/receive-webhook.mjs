// Receives Duly's webhooks: verifies who sent them (Standard Webhooks), deals with each event once, and answers 204.
//
//   DULY_WEBHOOK_KEYS=HEX[,HEX] PORT=8080 node receive-webhook.mjs
//
// Several keys, while one replaces the other. TLS ends in front of it.
import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";

const TOLERANCE_SECONDS = 300;
const MOST_BYTES = 256 * 1024;
const keys = process.env.DULY_WEBHOOK_KEYS.split(",").map((hex) => Buffer.from(hex, "hex"));
const seen = new Set(); // yours is a table with a unique key, written in the transaction that deals with the event

const server = createServer(async (request, response) => {
  const body = await read(request);
  if (body === null) return response.writeHead(413).end();
  if (!isDulys(request.headers, body)) return response.writeHead(401).end();
  const id = request.headers["webhook-id"];
  if (!seen.has(id)) {
    await dealWith(JSON.parse(body.toString("utf8")));
    seen.add(id);
  }
  response.writeHead(204).end(); // anything but 2xx: Duly sends it again
});
server.listen(Number(process.env.PORT ?? 8080), "127.0.0.1", () => console.error(`listening on ${server.address().port}`));

/** Whether a key of ours signed these very bytes a moment ago. */
function isDulys(headers, body, now = Date.now() / 1000) {
  const { "webhook-id": id, "webhook-timestamp": at, "webhook-signature": given } = headers;
  if (!id || !/^\d+$/.test(at ?? "") || !given || Math.abs(now - Number(at)) > TOLERANCE_SECONDS) return false;
  const wanted = keys.map((key) => createHmac("sha256", key).update(`${id}.${at}.`).update(body).digest());
  return given.split(" ").some((each) => {
    const [version, text] = each.split(",", 2);
    const signature = Buffer.from(text ?? "", "base64");
    return version === "v1" && wanted.some((mac) => mac.length === signature.length && timingSafeEqual(mac, signature));
  });
}

async function read(request) {
  const parts = [];
  let bytes = 0;
  for await (const part of request) {
    bytes += part.length;
    if (bytes > MOST_BYTES) return null;
    parts.push(part);
  }
  return Buffer.concat(parts);
}

async function dealWith({ id, type, sequence, data }) {
  console.log(JSON.stringify({ id, type, sequence, source_ref: data.source_ref }));
}
