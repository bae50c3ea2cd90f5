import { pictureStyle } from '../markup/assets.js';
import { escapeXml } from '../markup/escape-xml.js';
import { drawPlot, plotSummary } from './draw-plot.js';
import type { PlotSpec } from './plot-spec.js';

/** A plot as an SVG document of its own, in light colors. */
export function plotPicture(plot: PlotSpec): string {
  const svg = drawPlot(withoutLinks(plot), plot.isWide ? 'page' : 'column');
  const [, width, height] = /viewBox="0 0 (\d+) (\d+)"/.exec(svg) ?? [];
  return `${withoutData(svg)
    .replace('aria-hidden="true"', `width="${width}" height="${height}" role="img"`)
    .replace('>', `><title>${escapeXml(plotSummary(plot))}</title><style>${pictureStyle}</style>`)}\n`;
}

const withoutLinks = ({ marks, ...plot }: PlotSpec): PlotSpec => ({
  ...plot,
  ...(marks && { marks: marks.map(({ x, label }) => ({ x, label })) }),
});

const GRID_GAP = 12;

/** Several plots as one SVG document, row by row. */
export function plotGrid(title: string, plots: readonly PlotSpec[], columns: number): string {
  const drawn = plots.map((plot) => {
    const svg = withoutData(drawPlot(withoutLinks(plot), 'column'));
    const [, width = 0, height = 0] = (/viewBox="0 0 (\d+) (\d+)"/.exec(svg) ?? []).map(Number);
    return { svg, width, height };
  });
  const rows = Array.from({ length: Math.ceil(drawn.length / columns) }, (_, i) =>
    drawn.slice(i * columns, (i + 1) * columns),
  );
  let top = 0;
  const placed = rows.flatMap((row) => {
    const y = top;
    top += Math.max(...row.map(({ height }) => height)) + GRID_GAP;
    return row.map(({ svg, width, height }, i) =>
      svg
        .replace(' xmlns="http://www.w3.org/2000/svg"', '')
        .replace('aria-hidden="true"', `x="${i * (width + GRID_GAP)}" y="${y}" width="${width}" height="${height}"`),
    );
  });
  const [width, height] = [columns * ((drawn[0]?.width ?? 0) + GRID_GAP) - GRID_GAP, top - GRID_GAP];
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img"><title>${escapeXml(title)}</title><style>${pictureStyle}</style><rect width="${width}" height="${height}" fill="white"/>${placed.join('')}</svg>\n`;
}

const withoutData = (svg: string): string => svg.replace(/ data-(tip|scale)="[^"]*"/g, '');
