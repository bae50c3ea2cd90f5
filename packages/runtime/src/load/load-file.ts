/**
 * Load file: CSV, one line per second (first column: number of requests). Empty lines, lines that begin with # and one
 * header line are skipped.
 */
import { AppError } from '@equipoise/core/model';

/** Throws FILE_UNREADABLE with the number of the invalid line. */
export function parseLoadFile(text: string, fileName: string): readonly number[] {
  const counts: number[] = [];
  let headerSeen = false;
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue;
    const cell = (line.split(',')[0] ?? '').trim();
    const count = Number(cell);
    if (cell !== '' && Number.isInteger(count) && count >= 0) counts.push(count);
    else if (counts.length === 0 && !headerSeen && Number.isNaN(count)) headerSeen = true;
    else {
      const found = JSON.stringify(cell.slice(0, 40));
      throw new AppError(
        'FILE_UNREADABLE',
        `${fileName}:${index + 1}: expected a whole number of requests of at least 0, found ${found}.`,
      );
    }
  }
  if (counts.length === 0) throw new AppError('FILE_UNREADABLE', `${fileName} has no line with a number of requests.`);
  return counts;
}
