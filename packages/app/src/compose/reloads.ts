import { log, logError } from '../terminal/log.js';

export type ReloadOutcome =
  | { readonly what: string; readonly kind: 'changed' | 'unchanged' }
  | { readonly what: string; readonly kind: 'refused'; readonly error: unknown };

/** Reloads a part; true for a change. Throws and changes nothing if the new version is unusable. */
export type Reload = () => boolean | Promise<boolean>;

/** Reloads all parts, one run at a time. A rejected part keeps its value; the others are still reloaded. */
export class Reloads {
  readonly #parts: { readonly what: string; readonly reload: Reload }[] = [];
  #running: Promise<unknown> = Promise.resolve();

  /** `what` names the part in messages, such as 'the pipeline file'. */
  add(what: string, reload: Reload): void {
    this.#parts.push({ what, reload });
  }

  /** Reloads the parts in the order of `add`; never rejects. */
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

/** Reloads all parts on SIGHUP. A signal that arrives before the returned function is called is deferred until then. */
export function reloadOnSighup(reloads: Reloads): () => void {
  // A closed terminal sends SIGHUP, too: keep the default effect.
  if (process.stderr.isTTY) return () => {};
  let serves = false;
  let isDeferred = false;
  const reload = () => {
    void reloads.run().then((outcomes) => {
      for (const outcome of outcomes) logReload(outcome);
    });
  };
  process.on('SIGHUP', () => {
    if (serves) return reload();
    isDeferred = true;
    log('SIGHUP: files are reloaded once the pipeline serves');
  });
  return () => {
    serves = true;
    if (isDeferred) reload();
  };
}

export function logReload(outcome: ReloadOutcome): void {
  if (outcome.kind === 'refused') logError(`${outcome.what} is refused`, outcome.error);
  else log(`${outcome.what} ${outcome.kind === 'changed' ? 'has changed' : 'is unchanged'}`);
}
