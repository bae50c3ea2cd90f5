/**
 * Text for HTML and SVG, in elements and in quoted attributes. Control characters and lone surrogates, which XML does not
 * allow, become spaces, except tabs and line breaks.
 */
export const escapeXml = (text: string): string =>
  text
    .replace(/[^\P{Cc}\t\n]|[\p{Cs}\uFFFE\uFFFF]/gu, ' ')
    .replace(/[&<>"'\t\n]/g, (sign) => `&#${sign.charCodeAt(0)};`);
