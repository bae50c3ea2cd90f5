/** What can be wrong with a pipeline file: findings of the checks, and the problems that users read, with line and column. */

/** Way to a value: keys of mappings and indices of lists. */
export type ValuePath = readonly (string | number)[];

/**
 * What a check found. `place` says that the key of the entry at `path` is meant and not its value; `missing` that there is no such
 * entry; `inside` counts characters into a text value; `offset` overrides all with a place in the document.
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
 * One problem of a file. `line` and `column` count from 1; `path` reads like `spec.stages[0].name` and is empty for the file as a
 * whole; `suggestion` is what could stand there instead.
 */
export interface Problem {
  readonly path: string;
  readonly line: number;
  readonly column: number;
  readonly message: string;
  readonly suggestion?: string;
}

const PLAIN_KEY = /^[A-Za-z_$][\w$-]*$/;

/** The path as it is printed. */
export function pathText(path: ValuePath): string {
  let text = '';
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`;
    else if (!PLAIN_KEY.test(step)) text += `[${JSON.stringify(step)}]`;
    else text += text === '' ? step : `.${step}`;
  }
  return text;
}

/** Order of problems in a report: by position, then by path. */
export function byPosition(a: Problem, b: Problem): number {
  return a.line - b.line || a.column - b.column || (a.path < b.path ? -1 : a.path > b.path ? 1 : 0);
}
