/** Self-contained HTML: no scripts, no outside resources, light and dark. */

/** Section of a page; `html` must be trusted markup. */
export interface PageSection {
  readonly title: string;
  readonly html: string;
}

const STYLE = `
:root { color-scheme: light dark; --ink: #1d2433; --paper: #ffffff; --faint: #667085; --line: #d9dee8; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9f0; --paper: #12151c; --faint: #98a2b3; --line: #2c3342; } svg { background: #fff; border-radius: 6px; } }
body { font: 15px/1.55 system-ui, sans-serif; color: var(--ink); background: var(--paper); margin: 2.5rem auto; max-width: 66rem; padding: 0 1rem; }
h1 { font-size: 1.6rem; margin-bottom: .2rem; } h2 { font-size: 1.1rem; margin-top: 2.2rem; }
p.lead { color: var(--faint); margin-top: 0; }
.wide { overflow-x: auto; } table { border-collapse: collapse; margin: .6rem 0; font-size: .93em; }
th, td { text-align: left; padding: .3rem .9rem .3rem 0; border-bottom: 1px solid var(--line); vertical-align: top; white-space: nowrap; } td.long { white-space: normal; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; } .good { color: #0a7d33; } .bad { color: #c4320a; }
svg { max-width: 100%; height: auto; }`;

function escapeHtml(text: string): string {
  const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
  return text.replace(/[&<>"]/g, (character) => entities[character] ?? character);
}

export const htmlParagraph = (text: string): string => `<p>${escapeHtml(text)}</p>`;

const NO_FIGURE = '–';
const LONG_TEXT = 60;
/** Matches numbers with units, intervals (`± 1 %`, `(1 ms to 2 ms)`) and significance marks. */
const NUMBER =
  /^[−+-]?[\d.,]+( (ms|%|rps|s|MiB))?( ±[ ]?[\d.,]+( %)?| \([\d.,]+ ms to [\d.,]+ ms\)| \([\d.,]+–[\d.,]+\))?( \*)?$/;

/** Columns of figures are right-aligned. */
export function htmlTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const isNumber = (cell: string) => cell === NO_FIGURE || NUMBER.test(cell);
  const numeric = head.map((_, column) => rows.length > 0 && rows.every((row) => isNumber(row[column] ?? '')));
  const classOf = (text: string, column: number) =>
    numeric[column] ? ' class="number"' : text.length > LONG_TEXT ? ' class="long"' : '';
  const cell = (tag: 'td' | 'th') => (text: string, column: number) =>
    `<${tag}${classOf(text, column)}>${escapeHtml(text)}</${tag}>`;
  const line = (cells: string) => `<tr>${cells}</tr>`;
  return `<div class="wide"><table>${line(head.map(cell('th')).join(''))}${rows.map((row) => line(row.map(cell('td')).join(''))).join('')}</table></div>`;
}

export function htmlPage(page: {
  readonly title: string;
  readonly lead: string;
  readonly sections: readonly PageSection[];
}): string {
  const sections = page.sections
    .map(({ title, html }) => `<section><h2>${escapeHtml(title)}</h2>${html}</section>`)
    .join('\n');
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(page.title)}</title><style>${STYLE}</style></head>
<body><h1>${escapeHtml(page.title)}</h1><p class="lead">${escapeHtml(page.lead)}</p>
${sections}
</body></html>
`;
}
