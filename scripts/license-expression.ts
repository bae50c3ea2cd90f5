/**
 * Reads SPDX license expressions such as `MIT`, `(MIT OR Apache-2.0)` or `Apache-2.0 AND LGPL-3.0-or-later`: One side
 * satisfies OR; AND needs both sides and binds tighter.
 */

/** True if `isAllowed` accepts enough of the expression's licenses to use the package. */
export function satisfies(expression: string, isAllowed: (license: string) => boolean): boolean {
  const tokens = expression.match(/[()]|[^\s()]+/g) ?? [];
  let position = 0;

  const primary = (): boolean => {
    const token = tokens[position++];
    if (token !== '(') return token !== undefined && isAllowed(token);
    const inner = either();
    position += 1;
    return inner;
  };
  const both = (): boolean => {
    let verdict = primary();
    while (tokens[position] === 'AND') {
      position += 1;
      verdict = primary() && verdict;
    }
    return verdict;
  };
  const either = (): boolean => {
    let verdict = both();
    while (tokens[position] === 'OR') {
      position += 1;
      verdict = both() || verdict;
    }
    return verdict;
  };

  return either() && position === tokens.length;
}
