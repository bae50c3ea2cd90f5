/** Path of a value: keys of mappings and indices of lists. */
export type ValuePath = readonly (string | number)[];

/**
 * Finding about the value at `path`. `place: 'key'`: about the key instead. `missing`: the entry does not exist.
 * `inside`: offset inside a text value. `offset`: position in the file, if `path` does not determine it.
 */
export interface Finding {
  readonly path: ValuePath;
  readonly message: string;
  readonly suggestion?: string;
  readonly severity?: 'warning';
  readonly place?: 'key';
  readonly missing?: true;
  readonly inside?: number;
  readonly offset?: number;
}

/**
 * Problem of a file. `line` and `column` start at 1. `path` looks like `spec.stages[0].name`, or is empty for the whole
 * file. `suggestion` replaces the wrong value.
 */
export interface Problem {
  readonly path: string;
  readonly line: number;
  readonly column: number;
  readonly message: string;
  readonly suggestion?: string;
}

const PLAIN_KEY = /^[A-Za-z_$][\w$-]*$/;

export function pathText(path: ValuePath): string {
  let text = '';
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`;
    else if (!PLAIN_KEY.test(step)) text += `[${JSON.stringify(step)}]`;
    else text += text === '' ? step : `.${step}`;
  }
  return text;
}

export function byPosition(a: Problem, b: Problem): number {
  return a.line - b.line || a.column - b.column || (a.path < b.path ? -1 : a.path > b.path ? 1 : 0);
}
