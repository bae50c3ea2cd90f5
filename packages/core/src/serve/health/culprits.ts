/**
 * Culprits of one stage, and the requests that are like them. A culprit is an input that certainly hung a replica or
 * ended several. Each new input may be one, so a request is judged by two facts about it. Patience: its time from
 * arrival to deadline. Record: how many items of its client the stage has completed since it began to lose replicas.
 *
 * A request is like a culprit if it is about as patient or more, and has no better record. So whatever its sender states,
 * a culprit defines the requests that are like it. A client that causes a loss starts a new record.
 *
 * Likeness counts only after the stage has dropped a part of its items: a stage that copes with its culprits needs no
 * isolation.
 */

export interface Sender {
  readonly client: object | undefined;
  readonly patienceMs: number;
  /** True if the request came too late to be answered. It may be alike, but says nothing about the others. */
  readonly isHopeless?: boolean;
}

/** A single culprit tells little. A stage copes with fewer of them in a minute than it has replicas. */
const LEAST_CULPRITS = 2;
const KEPT_MS = 60_000;
const MOST_CULPRITS = 64;
/** If no request has been unlike all culprits for this time, the likeness tells nothing. */
const OTHERS_WITHIN_MS = 10_000;
/** Otherwise culprits whose patience falls slowly would never be alike. */
const AS_PATIENT = 0.8;
const RECORDS_KEPT_MS = 600_000;
/** A stage that drops this fraction of its items does not cope. */
const DROPPED_FRACTION = 0.05;
const LEAST_DROPS = 3;
const DROPS_WITHIN_MS = 10_000;
const COPES_NOT_FOR_MS = 600_000;

export class Culprits {
  /** Latest last. */
  #culprits: { readonly patienceMs: number; readonly record: number; readonly atMs: number }[] = [];
  #records = new WeakMap<object, number>();
  #recordsUntilMs = Number.NEGATIVE_INFINITY;
  #othersAtMs = Number.NEGATIVE_INFINITY;
  /** Drops since a time, and arrivals of the stage before it. */
  #drops = { count: 0, sinceMs: Number.NEGATIVE_INFINITY, arrivals: 0 };
  #copesFromMs = Number.NEGATIVE_INFINITY;

  /** A replica was lost or hung, for whatever reason. */
  noteLoss(nowMs: number): void {
    if (!this.keepsRecords(nowMs)) this.#records = new WeakMap();
    this.#recordsUntilMs = nowMs + RECORDS_KEPT_MS;
  }

  keepsRecords(nowMs: number): boolean {
    return nowMs < this.#recordsUntilMs;
  }

  /** The stage dropped an item that was not isolated. `arrivals`: items that came to the stage so far. */
  noteDropped(arrivals: number, nowMs: number): void {
    if (nowMs - this.#drops.sinceMs >= DROPS_WITHIN_MS)
      this.#drops = { count: 0, sinceMs: nowMs, arrivals: Math.max(0, arrivals - 1) };
    this.#drops.count += 1;
    const { count, arrivals: before } = this.#drops;
    if (count >= LEAST_DROPS && count >= DROPPED_FRACTION * (arrivals - before))
      this.#copesFromMs = nowMs + COPES_NOT_FOR_MS;
  }

  noteCompleted(client: object): void {
    this.#records.set(client, (this.#records.get(client) ?? 0) + 1);
  }

  noteCulprit({ client, patienceMs }: Sender, nowMs: number): void {
    this.#culprits.push({ patienceMs: Math.round(patienceMs), record: this.#recordOf(client), atMs: nowMs });
    if (this.#culprits.length > MOST_CULPRITS) this.#culprits.shift();
    if (client !== undefined) this.#records.delete(client);
  }

  /** True if the stage does not cope, and a request is like as many culprits of the last minute as there are replicas. */
  isAlike({ client, patienceMs, isHopeless = false }: Sender, replicas: number, nowMs: number): boolean {
    while (this.#culprits[0] !== undefined && nowMs - this.#culprits[0].atMs >= KEPT_MS) this.#culprits.shift();
    if (this.#culprits.length === 0) return false;
    const record = this.#recordOf(client);
    let alike = 0;
    for (const culprit of this.#culprits)
      if (patienceMs >= AS_PATIENT * culprit.patienceMs && record <= culprit.record) alike += 1;
    if (alike === 0 && !isHopeless) this.#othersAtMs = nowMs;
    const least = Math.min(MOST_CULPRITS, Math.max(LEAST_CULPRITS, replicas));
    return alike >= least && nowMs < this.#copesFromMs && nowMs - this.#othersAtMs <= OTHERS_WITHIN_MS;
  }

  #recordOf(client: object | undefined): number {
    return client === undefined ? 0 : (this.#records.get(client) ?? 0);
  }
}
