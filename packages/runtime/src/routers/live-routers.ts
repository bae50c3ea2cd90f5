/**
 * The other routers of a machine. A router whose file is missing or damaged still holds its cores, so it lives until it
 * says that it has left, or until its process has ended.
 */
import { isRunning } from './process-identity.js';
import type { RouterFiles, RouterState } from './router-files.js';

/** A router whose process cannot be seen, as in another container, is gone after this time without a sign. */
const SILENT_MS = 10_000;

export interface LiveRoutersDeps {
  readonly files: Pick<RouterFiles, 'routers' | 'remove'>;
  readonly ownId: string;
  readonly nowMs?: () => number;
  readonly epochNowMs?: () => number;
}

export interface LookOptions {
  /** True to remove the files of routers that have ended. */
  readonly removesEnded: boolean;
  /** Receives each state that was not seen before. */
  readonly onNews: (state: RouterState) => void;
}

export class LiveRouters {
  readonly #deps: LiveRoutersDeps;
  readonly #nowMs: () => number;
  readonly #seen = new Map<string, { readonly state: RouterState; readonly atMs: number }>();

  constructor(deps: LiveRoutersDeps) {
    this.#deps = deps;
    this.#nowMs = deps.nowMs ?? (() => performance.now());
  }

  /** Last states of the routers that live. */
  async look({ removesEnded, onNews }: LookOptions): Promise<readonly RouterState[]> {
    const { files, ownId } = this.#deps;
    const told = (await files.routers()).filter(({ id }) => id !== ownId);
    for (const state of told) if (this.#see(state)) onNews(state);
    const live: RouterState[] = [];
    for (const [id, { state, atMs }] of this.#seen) {
      if (this.#lives(state, atMs)) {
        live.push(state);
        continue;
      }
      if (removesEnded) await files.remove(id);
      // While there is a file, its age counts from the first look.
      if (removesEnded || told.every((each) => each.id !== id)) this.#seen.delete(id);
    }
    return live;
  }

  /** Returns true for news. The clock of the day counts at the first look only, because it may be set at any time. */
  #see(state: RouterState): boolean {
    const before = this.#seen.get(state.id);
    if (before?.state.atEpochMs === state.atEpochMs) return false;
    const { epochNowMs = Date.now } = this.#deps;
    const ageMs = before === undefined ? Math.max(0, epochNowMs() - state.atEpochMs) : 0;
    this.#seen.set(state.id, { state, atMs: this.#nowMs() - ageMs });
    return true;
  }

  #lives({ process: own, hasLeft = false }: RouterState, atMs: number): boolean {
    return !hasLeft && (isRunning(own) ?? this.#nowMs() - atMs < SILENT_MS);
  }
}
