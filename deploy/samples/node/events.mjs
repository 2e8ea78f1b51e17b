// Events as CloudEvents 1.0. An event gets its id once, when it is made: sent again with the same id, it counts once.
import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";

export function cloudEvent(source, { type, data, id = randomUUID(), time = new Date().toISOString() }) {
  return { specversion: "1.0", id, source, type, time, datacontenttype: "application/json", data };
}

/** The events of a JSON file (an array of `type` and `data`). */
export async function eventsOf(file, source) {
  return JSON.parse(await readFile(file, "utf8")).map((event) => cloudEvent(source, event));
}
