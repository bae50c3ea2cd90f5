/** A block of lines that is drawn again in its place on a terminal. Where there is none, the caller prints lines instead. */

/** Draws frames over each other on stderr. */
export class Screen {
  #height = 0;

  draw(lines: readonly string[]): void {
    const up = this.#height > 0 ? `\u001b[${this.#height}A` : '';
    process.stderr.write(`${up}${lines.map((line) => `\u001b[2K${line}\n`).join('')}\u001b[0J`);
    this.#height = lines.length;
  }
}
