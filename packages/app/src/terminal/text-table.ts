import Table from 'cli-table3';
import pc from 'picocolors';

/** Column of a table; `right` for numbers. */
export type Column = string | { readonly right: string };

export function textTable(columns: readonly Column[], rows: readonly (readonly (string | number)[])[]): string {
  const faint = pc.isColorSupported ? ['dim'] : [];
  const table = new Table({
    head: columns.map((column) => (typeof column === 'string' ? column : column.right)),
    colAligns: columns.map((column) => (typeof column === 'string' ? 'left' : 'right')),
    style: { head: faint, border: faint, compact: true },
  });
  table.push(...rows.map((row) => [...row]));
  return table.toString();
}
