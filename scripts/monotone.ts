/** Isotonic regression: restores a known order, which simulation noise has broken, by the smallest change. */

/** The ascending sequence nearest to `values` in squares (pool adjacent violators). */
export function ascending(values: readonly number[]): readonly number[] {
  const pools: { sum: number; count: number }[] = [];
  for (const value of values) {
    pools.push({ sum: value, count: 1 });
    for (;;) {
      const [last, before] = [pools.at(-1), pools.at(-2)];
      if (last === undefined || before === undefined || before.sum * last.count <= last.sum * before.count) break;
      pools.splice(-2, 2, { sum: before.sum + last.sum, count: before.count + last.count });
    }
  }
  return pools.flatMap(({ sum, count }) => new Array<number>(count).fill(sum / count));
}

/** The table nearest to `rows` that ascends along each row and descends from row to row, to within rounding. */
export function ascendingInRowsDescendingInColumns(
  rows: readonly (readonly number[])[],
): readonly (readonly number[])[] {
  let table = rows.map((row) => [...row]);
  for (let round = 0; round < 20; round++) {
    table = table.map((row) => [...ascending(row)]);
    const columns = (table[0] ?? []).map((_, j) => ascending(table.map((row) => -(row[j] as number))));
    table = table.map((row, i) => row.map((_, j) => -((columns[j] as readonly number[])[i] as number)));
  }
  for (let i = table.length - 1; i >= 0; i--) {
    const row = table[i] as number[];
    for (let j = 0; j < row.length; j++)
      row[j] = Math.max(row[j] as number, row[j - 1] ?? -Infinity, table[i + 1]?.[j] ?? -Infinity);
  }
  return table;
}
