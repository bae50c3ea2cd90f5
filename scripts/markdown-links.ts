/**
 * Finds the links of a Markdown file that lead nowhere: a relative path without a file, or an anchor without a heading.
 * Links to other sites are not followed. Anchors are spelled as GitHub spells them.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';

/** A link that leads nowhere; `line` counts from 1. */
export interface BrokenLink {
  readonly line: number;
  readonly target: string;
  readonly reason: string;
}

/**
 * Broken links of the Markdown file `file`. `files` are all possible targets. All paths are relative to the working
 * directory.
 */
export function findBrokenLinks(file: string, files: readonly string[]): BrokenLink[] {
  const places = new Set(files.flatMap(withFolders));
  return linksOf(readFileSync(file, 'utf8')).flatMap(({ line, target }) => {
    const reason = whyBroken(file, target, places);
    return reason === undefined ? [] : [{ line, target, reason }];
  });
}

/** Markdown files below the folder of the map to which the map has no link; `files` as in `findBrokenLinks`. */
export function findUnmapped(map: string, files: readonly string[]): string[] {
  const folder = path.posix.dirname(map);
  const mapped = new Set(linksOf(readFileSync(map, 'utf8')).map(({ target }) => path.posix.join(folder, target)));
  return files.filter(
    (file) => file.startsWith(`${folder}/`) && file.endsWith('.md') && file !== map && !mapped.has(file),
  );
}

/** The anchors of the headings, in order; the second heading of the same name ends in `-1`. */
export function anchorsOf(markdown: string): string[] {
  const seen = new Map<string, number>();
  const anchors: string[] = [];
  for (const text of withoutCode(markdown)) {
    const heading = /^#{1,6}\s+(.*?)\s*#*$/.exec(text)?.[1];
    if (heading !== undefined) anchors.push(numbered(slug(heading), seen));
    for (const [, id] of text.matchAll(/<a (?:id|name)="([^"]+)"/g)) if (id !== undefined) anchors.push(id);
  }
  return anchors;
}

/** The targets of links, images and link definitions, with their lines; code is left out. */
export function linksOf(markdown: string): { line: number; target: string }[] {
  return withoutCode(markdown).flatMap((text, index) => {
    const plain = text.replace(/`[^`]*`/g, '');
    const inline = [...plain.matchAll(/\]\(<?([^()\s>]+(?:\([^()\s]*\)[^()\s>]*)*)>?(?:\s+"[^"]*")?\)/g)];
    const definition = [...plain.matchAll(/^\s*\[[^\]]+\]:\s*<?([^\s>]+)>?/g)];
    return [...inline, ...definition].map((match) => ({ line: index + 1, target: match[1] ?? '' }));
  });
}

function whyBroken(file: string, target: string, places: ReadonlySet<string>): string | undefined {
  if (/^[a-z][a-z0-9+.-]*:/i.test(target)) return undefined;
  const [place = '', anchor] = target.split('#');
  if (place.startsWith('/')) return 'a path from the root of a disk; write it relative to this file';
  const destination = place === '' ? file : destinationOf(file, place);
  if (!places.has(destination)) return `no such file: ${destination}`;
  if (anchor === undefined || !destination.endsWith('.md')) return undefined;
  return anchorsOf(readFileSync(destination, 'utf8')).includes(anchor) ? undefined : `no heading #${anchor} there`;
}

function destinationOf(file: string, place: string): string {
  return path.posix.join(path.posix.dirname(file), decodeURIComponent(place)).replace(/(?<=.)\/$/, '');
}

/** A file and the folders that it lies in, since an empty folder is not in the repository. */
function withFolders(file: string): string[] {
  const folder = path.posix.dirname(file);
  return folder === '.' || folder === '/' ? [file, folder] : [file, ...withFolders(folder)];
}

/** Lines of the text. Lines inside fenced code are empty, so that line numbers stay. */
function withoutCode(markdown: string): string[] {
  let fence: string | undefined;
  return markdown.split('\n').map((line) => {
    const mark = /^\s*(`{3,}|~{3,})/.exec(line)?.[1];
    if (fence === undefined && mark === undefined) return line;
    if (fence === undefined) fence = mark;
    else if (mark?.startsWith(fence)) fence = undefined;
    return '';
  });
}

function slug(heading: string): string {
  return heading
    .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\p{M}\s_-]/gu, '')
    .replace(/\s/g, '-');
}

function numbered(anchor: string, seen: Map<string, number>): string {
  const count = seen.get(anchor) ?? 0;
  seen.set(anchor, count + 1);
  return count === 0 ? anchor : `${anchor}-${count}`;
}
