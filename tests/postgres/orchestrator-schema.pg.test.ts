/** The variants of the orchestrator's tables that other tests ask for are really what they say. */
import { expect, it } from "vitest";
import { createDatabase } from "../support/database.ts";
import type { SchemaVariant } from "../support/orchestrator-schema.ts";

it.each<SchemaVariant>([
  {},
  { idType: "uuid" },
  { idType: "text", payloadType: "json" },
  { sequence: "identity" },
])("tables of %j take a merge", async (variant) => {
  await using database = await createDatabase(variant);

  const merged = await database.admin.query(
    `WITH item AS (INSERT INTO work_items (project, attempts) VALUES ('atlas', 1) RETURNING id)
     INSERT INTO events_outbox (kind, work_item_id, payload)
     SELECT 'phase.transition', id, '{"target":"merged"}' FROM item
     RETURNING id, pg_typeof(work_item_id)::text AS id_type, pg_typeof(payload)::text AS payload_type`,
  );
  const identity = await database.admin.query(
    "SELECT attidentity <> '' AS is FROM pg_attribute WHERE attrelid = 'events_outbox'::regclass AND attname = 'id'",
  );

  expect(merged.rows).toEqual([
    { id: "1", id_type: variant.idType ?? "bigint", payload_type: variant.payloadType ?? "jsonb" },
  ]);
  expect(identity.rows).toEqual([{ is: variant.sequence === "identity" }]);
});
