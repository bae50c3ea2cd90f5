/**
 * Native HiGHS and CP-SAT (PyPI `highspy`, `ortools`) in a Python process. They solve the same models as HiGHS in
 * WebAssembly. EQUIPOISE_SOLVERS_PYTHON names a Python that has both.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { ModelData } from 'highs';

/** Solve time alone; `value` is undefined (null) without a proven optimum. */
export interface NativeAnswer {
  readonly elapsedMs: number;
  readonly cpuMs: number;
  readonly value: number | null;
}

export type NativeAnswers = Readonly<Record<'highs' | 'cpSat', NativeAnswer>>;

const SCRIPT = fileURLToPath(new URL('native-solvers.py', import.meta.url));
export const NATIVE_MISSING =
  'Native HiGHS and CP-SAT were not measured. Make a Python environment outside the repository (`python3 -m venv DIR`, `DIR/bin/pip install highspy ortools`) and set EQUIPOISE_SOLVERS_PYTHON to `DIR/bin/python`.';

export class NativeSolvers {
  readonly #child;
  readonly #answers: AsyncIterator<string>;

  private constructor(python: string) {
    this.#child = spawn(python, [SCRIPT], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#answers = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  /** Undefined if there is no Python with both solvers. */
  static start(): NativeSolvers | undefined {
    const python = process.env['EQUIPOISE_SOLVERS_PYTHON'];
    if (python === undefined) return undefined;
    const { status } = spawnSync(python, ['-c', 'import highspy, ortools.sat.python.cp_model'], { stdio: 'ignore' });
    return status === 0 ? new NativeSolvers(python) : undefined;
  }

  async solve(model: ModelData): Promise<NativeAnswers> {
    this.#child.stdin.write(`${JSON.stringify(plainModel(model))}\n`);
    const { value, done } = await this.#answers.next();
    if (done === true) throw new Error('the process of the native solvers ended');
    return JSON.parse(value) as NativeAnswers;
  }

  stop(): void {
    this.#child.stdin.end();
  }
}

/** Infinite bounds are null. The binary variables come first. */
function plainModel(model: ModelData): Readonly<Record<string, unknown>> {
  const { matrix, integrality, colUpper } = model;
  const upper = Array.from(colUpper);
  const types = Array.from(integrality ?? []);
  const continuous = types.at(-1);
  const finite = (bounds: ArrayLike<number>): (number | null)[] =>
    Array.from(bounds, (bound) => (Number.isFinite(bound) ? bound : null));
  return {
    columns: model.numCols,
    rows: model.numRows,
    binaries: types.indexOf(continuous as number),
    gains: Array.from(model.colCost),
    // Without an SLO, finish times need no real limit.
    upper: upper.map((bound) => (Number.isFinite(bound) ? bound : 1e9)),
    rowLower: finite(model.rowLower),
    rowUpper: finite(model.rowUpper),
    starts: Array.from(matrix.starts),
    indices: Array.from(matrix.indices),
    values: Array.from(matrix.values),
  };
}
