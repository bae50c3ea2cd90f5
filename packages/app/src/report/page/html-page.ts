/**
 * Frame of all reports: one file without outside resources, at most 1 MB, in light and dark, for screens, phones and
 * paper. Its content security policy allows only its own style and script, so markup in a name could not run either.
 */
import { createHash } from 'node:crypto';
import { VERSION } from '../../version.js';
import { pageScript, pageStyle, pictureStyle } from '../markup/assets.js';
import { escapeXml } from '../markup/escape-xml.js';
import type { PlotSpec } from '../plot/plot-spec.js';
import { type Fact, htmlFacts, htmlParagraph } from './html.js';
import { type PlotData, plotData, plotFigure, SharedAxes } from './plot-figure.js';

/** Trusted markup, or plots side by side. */
export type PageBlock = string | { readonly plots: readonly PlotSpec[] };

export interface PageSection {
  readonly title: string;
  /** Sentence under the title. */
  readonly text?: string;
  readonly blocks: readonly PageBlock[];
}

/** `kind`: such as `Report`. `lead`: conditions in a sentence or two. */
export interface ReportPage {
  readonly kind: string;
  readonly title: string;
  readonly lead: string;
  readonly facts: readonly Fact[];
  readonly sections: readonly PageSection[];
}

export const plotsOf = ({ sections }: ReportPage): readonly PlotSpec[] =>
  sections.flatMap(({ blocks }) => blocks.flatMap((block) => (typeof block === 'string' ? [] : block.plots)));

/** A page stays below this size; what does not fit is left out, with a note. */
export const MOST_BYTES = 1_000_000;
const MOST_BODY_BYTES = 930_000;
const LONGEST_TITLE = 160;

const MARK =
  '<svg viewBox="0 0 32 32" aria-hidden="true"><path d="M16 4v22M6 26h20M5 11l22-4" fill="none" stroke="currentColor" stroke-width="2.4" stroke-linecap="round"/><path d="M1 18a4 4 0 0 0 8 0L5 11zM23 14a4 4 0 0 0 8 0l-4-7z" fill="currentColor"/></svg>';

const digestOf = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;

/** The style, and the script that runs; the data block is no script. */
const POLICY = [
  "default-src 'none'",
  `style-src ${digestOf(pageStyle)}`,
  `script-src ${digestOf(pageScript)}`,
  'img-src data:',
  "base-uri 'none'",
  "form-action 'none'",
].join('; ');

export function htmlPage(page: ReportPage): string {
  const writer = new PageWriter();
  const sections = page.sections.map((section, i) => writer.section(section, `s${i + 1}`));
  const title = escapeXml(page.title.slice(0, LONGEST_TITLE));
  const links = page.sections.map(({ title: name }, i) => `<a href="#s${i + 1}">${escapeXml(name)}</a>`);
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<title>${title}</title><style>${pageStyle}</style></head>
<body><a class="skip" href="#content">Skip to the content</a><div class="page">
<header><div class="top">${MARK}<span class="brand">Equipoise</span> <span>${escapeXml(page.kind)}</span><span class="spring"></span><button type="button" id="theme">Dark</button><button type="button" id="print">Print</button></div>
<h1>${title}</h1><p class="lead">${escapeXml(page.lead.slice(0, 2000))}</p>
${htmlFacts(page.facts)}
${links.length > 2 ? `<nav class="toc" aria-label="Sections">${links.join('')}</nav>` : ''}</header>
<main id="content">
${sections.join('\n')}
</main>
<footer>Equipoise ${escapeXml(VERSION)}</footer>
</div>
<script type="application/json" id="report-data">${writer.data()}</script>
<script>${pageScript}</script>
</body></html>
`;
}

/** Writes sections while they fit. */
class PageWriter {
  readonly #axes = new SharedAxes();
  readonly #plots = new Map<string, PlotData>();
  #bytes = 0;
  #axisBytes = 0;
  #isCut = false;

  section({ title, text, blocks }: PageSection, id: string): string {
    this.#isCut = false;
    const lead = text === undefined ? '' : htmlParagraph(text);
    const shown = blocks.map((block) =>
      typeof block === 'string' ? this.#fitting(block) : this.#figures(block.plots),
    );
    const note = this.#isCut ? htmlParagraph('The page would be too large with the rest of this section.') : '';
    return `<section><h2 id="${id}">${escapeXml(title)}</h2>${lead}${shown.join('\n')}${note}</section>`;
  }

  data(): string {
    return scriptJson({ pictureStyle, axes: this.#axes.values, plots: Object.fromEntries(this.#plots) });
  }

  #figures(plots: readonly PlotSpec[]): string {
    return `<div class="plots">${plots.map((plot) => this.#figure(plot)).join('')}</div>`;
  }

  #figure(plot: PlotSpec): string {
    const id = `p${this.#plots.size + 1}`;
    const data = plotData(plot, this.#axes);
    this.#axisBytes = scriptJson(this.#axes.values).length;
    const figure = this.#fitting(plotFigure(plot, id), scriptJson(data).length);
    if (figure !== '') this.#plots.set(id, data);
    return figure;
  }

  /** Empty if it does not fit. */
  #fitting(html: string, dataBytes = 0): string {
    const bytes = Buffer.byteLength(html) + dataBytes;
    if (this.#bytes + this.#axisBytes + bytes > MOST_BODY_BYTES) {
      this.#isCut = true;
      return '';
    }
    this.#bytes += bytes;
    return html;
  }
}

/** JSON that cannot end its script element. Only ASCII, so that its length is its size. */
const scriptJson = (value: unknown): string =>
  JSON.stringify(value).replace(
    /[<>&\u007f-\uffff]/g,
    (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
