/** Markup of the parts of a page. All texts are escaped here. */
import { counted } from '../../terminal/counted.js';
import { escapeXml } from '../markup/escape-xml.js';

export const htmlParagraph = (text: string): string => `<p class="text">${escapeXml(text)}</p>`;

export const htmlHeading = (text: string): string => `<h3>${escapeXml(text)}</h3>`;

/** `href` is an address within the page. */
export type TableCell = string | { readonly text: string; readonly href: string };

const textOf = (cell: TableCell): string => (typeof cell === 'string' ? cell : cell.text);

const NO_FIGURE = '–';
const LONG_TEXT = 48;
const MOST_ROWS = 1000;
/** Matches numbers with units, intervals (`± 1 %`, `(1 ms to 2 ms)`) and significance marks. */
const NUMBER =
  /^[−+-]?[\d.,]+( (ms|%|rps|s|MiB))?( ±[ ]?[\d.,]+( %)?| \([\d.,]+ ms to [\d.,]+ ms\)| \([\d.,]+–[\d.,]+\))?( \*)?$/;

/** Value and interval do not break, but the line may break between them. */
function numberHtml(text: string): string {
  const [value = '', interval] = text.split(/ (?=[(±])/);
  const spread = interval === undefined ? '' : ` <span class="interval">${escapeXml(interval)}</span>`;
  return `<span>${escapeXml(value)}</span>${spread}`;
}

/** Columns of figures are right-aligned. `title` names the table for screen readers. A table has at most 1,000 rows. */
export function htmlTable(title: string, head: readonly string[], rows: readonly (readonly TableCell[])[]): string {
  const isNumber = (cell: string) => cell === NO_FIGURE || NUMBER.test(cell);
  const numeric = head.map((_, column) => rows.length > 0 && rows.every((row) => isNumber(textOf(row[column] ?? ''))));
  const classOf = (text: string, column: number) =>
    numeric[column] ? ' class="number"' : text.length > LONG_TEXT ? ' class="long"' : '';
  const headCell = (text: string, column: number) =>
    `<th scope="col"${numeric[column] ? ' class="number"' : ''}>${escapeXml(text)}</th>`;
  const cell = (of: TableCell, column: number) => {
    const text = numeric[column] ? numberHtml(textOf(of)) : escapeXml(textOf(of));
    const shown = typeof of === 'string' ? text : `<a href="${escapeXml(of.href)}">${text}</a>`;
    return `<td${classOf(textOf(of), column)}>${shown}</td>`;
  };
  const body = rows.slice(0, MOST_ROWS).map((row) => `<tr>${row.map(cell).join('')}</tr>`);
  const rest = rows.length - body.length;
  const note = rest > 0 ? htmlParagraph(`${counted(rest, 'more row')} not shown.`) : '';
  return `<div class="wide-table" role="region" tabindex="0" aria-label="${escapeXml(title)}"><table><thead><tr>${head.map(headCell).join('')}</tr></thead><tbody>${body.join('')}</tbody></table></div>${note}`;
}

/** Key figure at the top of a page. */
export interface Fact {
  readonly label: string;
  readonly value: string;
  readonly unit?: string;
  readonly note?: string;
  readonly status?: 'ok' | 'warn' | 'bad';
}

export function htmlFacts(facts: readonly Fact[]): string {
  if (facts.length === 0) return '';
  const items = facts.map(({ label, value, unit, note, status }) => {
    const unitHtml = unit === undefined ? '' : ` <span class="unit">${escapeXml(unit)}</span>`;
    const noteHtml = note === undefined ? '' : `<dd class="note">${escapeXml(note)}</dd>`;
    const statusClass = status === undefined ? '' : ` class="${status}-text"`;
    return `<div><dt>${escapeXml(label)}</dt><dd${statusClass}>${escapeXml(value)}${unitHtml}</dd>${noteHtml}</div>`;
  });
  return `<dl class="facts">${items.join('')}</dl>`;
}
