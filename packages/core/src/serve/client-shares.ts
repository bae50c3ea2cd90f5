/**
 * Shares of clients in a queue that cannot take all items. An item that would be refused takes the place of items of the
 * client with the most items (longest queue drop: Suter et al., 1998). So a client with many requests at once keeps no
 * other client out. A client alone, or clients with about as many items, are refused as without shares.
 */
import { OrderedItems } from './ordered-items.js';
import type { StageItem } from './request-state.js';

/** Items that a client must have more than another one, before it loses a place to it. */
const LEAST_LEAD = 8;

type Items<Payload, Context> = OrderedItems<StageItem<Payload, Context>>;

/** Items of a queue by client. Items without a client are left out. */
export class ClientShares<Payload, Context> {
  readonly #byClient = new Map<object, Items<Payload, Context>>();
  /** Clients by their number of items, which changes by one at a time. */
  readonly #bySize: Set<Items<Payload, Context>>[] = [new Set()];
  #mostItems = 0;

  constructor(items: Iterable<StageItem<Payload, Context>>) {
    for (const item of items) this.add(item);
  }

  add(item: StageItem<Payload, Context>): void {
    const { client } = item.request;
    if (client === undefined) return;
    let items = this.#byClient.get(client);
    if (items === undefined) {
      items = new OrderedItems();
      this.#byClient.set(client, items);
    }
    items.push(item);
    const size = items.length;
    this.#bySize[size - 1]?.delete(items);
    this.#ofSize(size).add(items);
    this.#mostItems = Math.max(this.#mostItems, size);
  }

  remove(item: StageItem<Payload, Context>): void {
    const { client } = item.request;
    const items = client && this.#byClient.get(client);
    if (client === undefined || items === undefined) return;
    items.remove(item);
    const size = items.length;
    const before = this.#ofSize(size + 1);
    before.delete(items);
    if (size > 0) this.#ofSize(size).add(items);
    else this.#byClient.delete(client);
    if (this.#mostItems === size + 1 && before.size === 0) this.#mostItems = size;
  }

  /** Items of the client with the most items; undefined if it has not clearly more than `client`. */
  heavierThan(client: object): Pick<Items<Payload, Context>, 'countUntil' | 'lastUntil'> | undefined {
    const own = this.#byClient.get(client)?.length ?? 0;
    if (this.#mostItems < own + LEAST_LEAD) return undefined;
    for (const items of this.#ofSize(this.#mostItems)) return items;
    return undefined;
  }

  #ofSize(size: number): Set<Items<Payload, Context>> {
    let clients = this.#bySize[size];
    if (clients === undefined) {
      clients = new Set();
      this.#bySize[size] = clients;
    }
    return clients;
  }
}
