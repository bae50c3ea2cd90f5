import { join } from 'node:path';
import { outputFile } from '../output-file.js';
import { plotPicture } from '../plot/picture.js';
import { plotsOf, type ReportPage } from './html-page.js';
import { fileNameOf } from './plot-figure.js';

/** Writes each plot of a page to the folder, as `01-TITLE.svg`. Returns the paths. */
export async function savePlots(page: ReportPage, folder: string): Promise<readonly string[]> {
  const plots = plotsOf(page);
  const width = String(plots.length).length;
  const paths: string[] = [];
  for (const [i, plot] of plots.entries()) {
    const path = join(folder, `${String(i + 1).padStart(Math.max(2, width), '0')}-${fileNameOf(plot.title)}.svg`);
    await (await outputFile(path)).writeText(plotPicture(plot));
    paths.push(path);
  }
  return paths;
}
