// Hears what became of notices over AMQP: one JSON line an event, acknowledged when it is dealt with.
//
//   DULY_BROKER_URL=amqp://fees:password@broker.example/ node consume-amqp.mjs fees.notices [COUNT]
//
// The queue is yours: it keeps what comes while you are away. COUNT ends the program after so many events.
import amqp from "amqplib";

const [queue, count = Infinity] = process.argv.slice(2);
const connection = await amqp.connect(process.env.DULY_BROKER_URL);
const channel = await connection.createChannel();
await channel.assertQueue(queue, { durable: true, arguments: { "x-queue-type": "quorum" } });
for (const key of ["notice.#", "sanction.#", "hold.#", "deadline.extended.#", "evidence.refused.#"]) {
  await channel.bindQueue(queue, "duly", key);
}
await channel.prefetch(50);

let seen = 0;
await channel.consume(queue, async (message) => {
  const event = JSON.parse(message.content.toString("utf8"));
  await dealWith(event); // store it before it is acknowledged; after a crash it comes once more, with the same id
  channel.ack(message);
  seen += 1;
  if (seen >= count) await connection.close();
});
console.error("consuming");

/** `sequence` numbers the events of one notice: 1, 2, 3, … A missing number is an event still to come. */
async function dealWith({ id, type, sequence, data }) {
  console.log(JSON.stringify({ id, type, sequence, notice_id: data.notice_id, source_ref: data.source_ref }));
}
