/** Commands of the quick start of README.md, as they stand on the page. */
import { type CodeBlock, codeBlocksIn, isShell } from './code-blocks.js';

/** Ports that the page assumes: those of `serve` without flags. */
export const PAGE_PORTS: Ports = { serving: 8080, admin: 8081 };

export interface Ports {
  readonly serving: number;
  readonly admin: number;
}

export interface Section {
  readonly text: string;
  /** Commands of each shell block. */
  readonly blocks: readonly (readonly string[])[];
  /** Our commands in sentences. */
  readonly inText: readonly string[];
  /** Addresses in sentences. */
  readonly urls: readonly string[];
}

/** Section with this heading, up to the next one. Throws an Error if there is none. */
export function sectionOf(markdown: string, heading: string): Section {
  const [, ...parts] = markdown.split(/^## /m);
  const found = parts.find((part) => part.startsWith(`${heading}\n`));
  if (found === undefined) throw new Error(`The page has no section "${heading}".`);
  const text = found.slice(heading.length + 1);
  const sentences = text.replace(/^ *```[\s\S]*?^ *```$/gm, '');
  return {
    text,
    blocks: codeBlocksIn('README.md', text).filter(isShell).map(commandsOf),
    inText: [...sentences.matchAll(/`(npx equipoise [^`]+)`/g)].map(([, command = '']) => command),
    urls: [...sentences.matchAll(/\bhttp:\/\/127\.0\.0\.1:\d+\/\S*/g)].map(([url]) => url),
  };
}

/** Lines; one that ends with a backslash goes on in the next one. */
const commandsOf = ({ text }: CodeBlock): readonly string[] =>
  text
    .replaceAll('\\\n', '')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');

export const isServer = (command: string): boolean => /^npx equipoise serve /.test(command);

/** The command or address on other ports. On the ports of the page it stays as it is. */
export function onPorts(text: string, { serving, admin }: Ports): string {
  if (serving === PAGE_PORTS.serving && admin === PAGE_PORTS.admin) return text;
  const moved = text
    .replaceAll(`127.0.0.1:${PAGE_PORTS.serving}`, `127.0.0.1:${serving}`)
    .replaceAll(`127.0.0.1:${PAGE_PORTS.admin}`, `127.0.0.1:${admin}`);
  return isServer(text) ? `${moved} --port ${serving} --admin-port ${admin}` : moved;
}
