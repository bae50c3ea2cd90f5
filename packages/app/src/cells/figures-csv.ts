type Figures = Readonly<Record<string, unknown>>;

/** CSV with one line per object; missing figures are empty. */
export function figuresCsv(cells: readonly object[]): string {
  const rows = cells.map((cell) => flattened(cell as Figures));
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const lines = rows.map((row) => columns.map((column) => quoted(row[column] ?? '')).join(','));
  return `${[columns.map(quoted).join(','), ...lines].join('\n')}\n`;
}

/** Figures by path, such as `stages.detect.waitMs.mean`. */
function flattened(figures: Figures, prefix = ''): Readonly<Record<string, string>> {
  const entries = Object.entries(figures).flatMap(([name, value]): readonly (readonly [string, string])[] =>
    typeof value === 'object' && value !== null
      ? Object.entries(flattened(value as Figures, `${prefix}${name}.`))
      : [[`${prefix}${name}`, String(value ?? '')]],
  );
  return Object.fromEntries(entries);
}

const quoted = (text: string): string => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
