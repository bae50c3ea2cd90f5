/** Style and script of all reports, read from the package. */
import { readFileSync } from 'node:fs';

const assetOf = (name: string): string =>
  readFileSync(new URL(`../../../assets/${name}`, import.meta.url), 'utf8').trim();

const frameStyle = assetOf('report.css');
const plotStyle = assetOf('plot.css');

export const pageScript = assetOf('report.js');

const DARK = /:root\[data-theme="dark"\] \{([^}]*)\}/;
const darkPalette = DARK.exec(frameStyle)?.[1] ?? '';

/** Dark also where the system is dark, but never on paper. */
const darkStyle = `@media screen {
:root[data-theme="dark"] {${darkPalette}}
}
@media screen and (prefers-color-scheme: dark) {
:root:not([data-theme="light"]) {${darkPalette}}
}`;

export const pageStyle = `${frameStyle.replace(DARK, darkStyle)}\n${plotStyle}`;

const lightColors = new Map(
  [...(/:root \{([^}]*)\}/.exec(frameStyle)?.[1] ?? '').matchAll(/--([a-z0-9-]+): (#[0-9a-f]+);/g)].map(
    ([, name = '', color = '']) => [name, color],
  ),
);

/** Style of a picture on its own: light colors, without variables, which many programs do not know. */
export const pictureStyle = plotStyle
  .replaceAll(/var\(--([a-z0-9-]+)\)/g, (_, name: string) => lightColors.get(name) ?? 'black')
  .replaceAll(/\/\*.*?\*\/\s*/gs, '');
