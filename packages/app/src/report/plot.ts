/** Plots. The plot library is large and optional, so it is loaded on first use. */
import { AppError } from '@equipoise/core/model';
import type { TopLevelSpec } from 'vega-lite';

/** Installs the plot library, in the versions of package.json. */
export const PLOT_PACKAGES = 'vega@6.4.0 vega-lite@6.4.3';

/** Rejects with AppError PACKAGE_MISSING. A command that ends with a plot calls it first. */
export async function requirePlots() {
  try {
    const [{ parse, View }, { compile }] = await Promise.all([import('vega'), import('vega-lite')]);
    return { parse, View, compile };
  } catch (cause) {
    throw AppError.packageMissing('A plot', PLOT_PACKAGES, cause);
  }
}

/** Renders a Vega-Lite specification as SVG, without a browser. */
export async function plotSvg(spec: TopLevelSpec): Promise<string> {
  const { parse, View, compile } = await requirePlots();
  const view = new View(parse(compile(spec).spec), { renderer: 'none' });
  const svg = await view.toSVG();
  view.finalize();
  return svg;
}
