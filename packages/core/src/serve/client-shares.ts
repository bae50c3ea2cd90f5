/**
 * Shares of clients in a queue that cannot take all items. An item that would be refused takes the place of items of the
 * client with the most items (longest queue drop: Suter et al., 1998). So a client with many requests at once keeps no
 * other client out. A client alone, or clients with about as many items, are refused as without shares.
 */
import type { StageItem } from './request-state.js';

/** Items that a client must have more than another one, before it gives a place away. */
const LEAST_LEAD = 8;

/** Items of the client with the most items, the last to run first; none if it has not clearly more than `client`. */
export function itemsOfHeaviest<Payload, Context>(
  items: Iterable<StageItem<Payload, Context>>,
  client: object,
): readonly StageItem<Payload, Context>[] {
  const byClient = new Map<object, StageItem<Payload, Context>[]>();
  for (const item of items) {
    const { client: owner } = item.request;
    if (owner === undefined) continue;
    const owned = byClient.get(owner);
    if (owned === undefined) byClient.set(owner, [item]);
    else owned.push(item);
  }
  const own = byClient.get(client)?.length ?? 0;
  let heaviest: StageItem<Payload, Context>[] = [];
  for (const owned of byClient.values()) if (owned.length > heaviest.length) heaviest = owned;
  if (heaviest.length < own + LEAST_LEAD) return [];
  return heaviest.sort((a, b) => b.deadlineAtMs - a.deadlineAtMs || b.sequence - a.sequence);
}
