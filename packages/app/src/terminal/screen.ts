/** Escape sequences have no width. */
const ESCAPE = '\u001b';
const STYLE = new RegExp(`(${ESCAPE}\\[[0-9;]*m)`);

/** Cuts a line to one terminal row and resets the style. */
export function cutToWidth(line: string, columns: number): string {
  let room = columns;
  let cut = '';
  for (const part of line.split(STYLE)) {
    if (STYLE.test(part)) cut += part;
    else if (part.length <= room) {
      cut += part;
      room -= part.length;
    } else return `${cut}${part.slice(0, Math.max(0, room))}\u001b[0m`;
  }
  return cut;
}

/** Draws each frame over the previous one on stderr. */
export class Screen {
  #height = 0;

  draw(lines: readonly string[]): void {
    const columns = process.stderr.columns ?? 120;
    const up = this.#height > 0 ? `\u001b[${this.#height}A` : '';
    process.stderr.write(`${up}${lines.map((line) => `\u001b[2K${cutToWidth(line, columns)}\n`).join('')}\u001b[0J`);
    this.#height = lines.length;
  }
}
