/** The AsyncAPI 3 document: the channel and its messages, with the schemas inline and examples of each event. */
import { EVENTS } from "./events.ts";
import { EVENT_KINDS, publishedSchema } from "./json-schema.ts";

const CONTENT_TYPE = "application/json";

export function asyncApi(examples: Readonly<Record<string, readonly unknown[]>>): unknown {
  return {
    asyncapi: "3.0.0",
    info: {
      title: "damascus-metrics",
      version: "1",
      description:
        "Rolling merge metrics and policy crossings, appended to the orchestrator's own outbox table exactly once per merge. " +
        "Rows are read from the table; there is no broker. Consumers ignore fields and metric.* kinds that they do not know, and drop duplicates by key.",
    },
    defaultContentType: CONTENT_TYPE,
    channels: {
      eventsOutbox: {
        address: "events_outbox",
        title: "The outbox table",
        description:
          "One row per event: kind names the message, payload is its JSON, work_item_id the merged item. " +
          "Rows of one merge are committed together, ids of metric.* rows ascend in the order in which they were committed.",
        messages: Object.fromEntries(
          EVENT_KINDS.map((kind) => [kind, { $ref: `#/components/messages/${kind}` }]),
        ),
      },
    },
    operations: {
      append: {
        action: "send",
        channel: { $ref: "#/channels/eventsOutbox" },
        summary: "Appends the rows of a merge in one transaction.",
        messages: EVENT_KINDS.map((kind) => ({ $ref: `#/channels/eventsOutbox/messages/${kind}` })),
      },
    },
    components: {
      messages: Object.fromEntries(
        EVENT_KINDS.map((kind) => [
          kind,
          {
            name: kind,
            title: kind,
            summary: EVENTS[kind].description,
            contentType: CONTENT_TYPE,
            payload: { $ref: `#/components/schemas/${kind}` },
            examples: (examples[kind] ?? []).map((payload, index) => ({
              name: `${kind}-${index + 1}`,
              payload,
            })),
          },
        ]),
      ),
      schemas: Object.fromEntries(EVENT_KINDS.map((kind) => [kind, inline(kind)])),
    },
  };
}

/** The schema as a part of this document: without its own address. */
function inline(kind: (typeof EVENT_KINDS)[number]): unknown {
  const { $schema: _dialect, $id: _address, ...body } = publishedSchema(kind, EVENTS[kind]);
  return body;
}
