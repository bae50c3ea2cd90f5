/** Functions and files that one tick runs, from the reports of tick-probe.mjs. */

/** A line of the reports. It says that the server asked its planner, or that a planner reached the solver. */
export type TickReport =
  | {
      readonly kind: 'ask';
      readonly atMs: number;
      readonly path: readonly string[];
      readonly functions: readonly string[];
    }
  | {
      readonly kind: 'step';
      readonly beganAtMs: number;
      readonly path: readonly string[];
      readonly functions: readonly string[];
    };

/** Figures of the tick that runs the most files. */
export interface TickFigures {
  /**
   * Named functions on the stacks from the timer to `controlStep`. Callers across a promise chain are not on the stack.
   */
  readonly path: readonly string[];
  readonly pathFiles: readonly string[];
  /** Files of core outside `optimize` that run while the server observes, before it asks the planner. */
  readonly observing: readonly string[];
  /** Files of core outside `optimize` that run in the planner before it calls the solver. */
  readonly deciding: readonly string[];
}

/** Undefined if no tick reached the solver. */
export function tickFigures(reports: readonly TickReport[]): TickFigures | undefined {
  const walks = reports.flatMap((step) => {
    if (step.kind !== 'step') return [];
    const ask = reports.findLast((each) => each.kind === 'ask' && each.atMs <= step.beganAtMs);
    return [walkOf(step.path, step.functions, ask)];
  });
  return walks.toSorted((one, other) => other.deciding.length - one.deciding.length)[0];
}

function walkOf(
  path: readonly string[],
  functions: readonly string[],
  ask: Pick<TickReport, 'path' | 'functions'> | undefined,
): TickFigures {
  const frames = [...path.slice(1), ...(ask?.path ?? [])].map(frameOf);
  return {
    path: [...new Set(frames.filter(({ name }) => name !== '').map(({ name, file }) => `${name} (${file})`))],
    pathFiles: [...new Set(frames.map(({ file }) => file))],
    observing: coreFiles(ask?.functions ?? []),
    deciding: coreFiles(functions),
  };
}

/**
 * Reads a frame such as `at Planner.ask (file:///…/packages/runtime/dist/loop/planner.js:19:27)`; anonymous functions
 * have no name.
 */
function frameOf(frame: string): { name: string; file: string } {
  const name = /^\s*at (?:async )?(?:new )?([^(]+) \(/.exec(frame)?.[1] ?? '';
  return { name, file: sourceOf(frame) };
}

function coreFiles(functions: readonly string[]): string[] {
  const files = functions.map(sourceOf).filter((file) => /^core\/src\/(?!optimize\/)/.test(file));
  return [...new Set(files)].toSorted();
}

function sourceOf(place: string): string {
  const compiled = /packages\/([^:\s)]+)/.exec(place)?.[1] ?? place.trim();
  return compiled.replace('/dist/', '/src/').replace(/\.js$/, '.ts');
}
