/**
 * What can be read anew while the server runs. Each part is read by itself: one that is refused keeps what it had, and the others are
 * read all the same. Reloads never overlap.
 */

/** What came of one part. */
export type ReloadOutcome =
  | { readonly what: string; readonly kind: 'changed' | 'unchanged' }
  | { readonly what: string; readonly kind: 'refused'; readonly error: unknown };

/** Reads a part anew and tells whether it has changed; throws where what it found cannot be taken, and then nothing has. */
export type Reload = () => boolean | Promise<boolean>;

/** All that is read anew together. */
export class Reloads {
  readonly #parts: { readonly what: string; readonly reload: Reload }[] = [];
  #running: Promise<unknown> = Promise.resolve();

  /** `what` names the part to people: 'the pipeline file'. */
  add(what: string, reload: Reload): void {
    this.#parts.push({ what, reload });
  }

  /** Reads all parts in the order in which they were added; never rejects. */
  run(): Promise<readonly ReloadOutcome[]> {
    const outcomes = this.#running.then(() => this.#runAll());
    this.#running = outcomes;
    return outcomes;
  }

  async #runAll(): Promise<readonly ReloadOutcome[]> {
    const outcomes: ReloadOutcome[] = [];
    for (const { what, reload } of this.#parts) {
      try {
        outcomes.push({ what, kind: (await reload()) ? 'changed' : 'unchanged' });
      } catch (error) {
        outcomes.push({ what, kind: 'refused', error });
      }
    }
    return outcomes;
  }
}
