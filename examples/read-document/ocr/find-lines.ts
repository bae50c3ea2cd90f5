/**
 * Turns the text probabilities of a detector into boxes of lines, as the post-processing of PP-OCR does, but with boxes
 * parallel to the axes: cells of at least 0.3, connected; mean probability at least 0.6; grown by 1.6 x area / perimeter.
 */

const leastCell = 0.3;
const leastMean = 0.6;
const growth = 1.6;
const leastSide = 3;
const mostLines = 64;

/** Box of a line in cells of the map; `right` and `bottom` are exclusive. */
export interface LineBox {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/** At most 64 boxes in reading order. `map` holds `height` rows of `width` probabilities. */
export function findLines(map: Float32Array, width: number, height: number): LineBox[] {
  const seen = new Uint8Array(map.length);
  const lines: LineBox[] = [];
  for (let cell = 0; cell < map.length && lines.length < mostLines; cell++) {
    if (seen[cell] === 1 || (map[cell] ?? 0) < leastCell) continue;
    const { box, mean } = componentAt(cell, map, width, seen);
    const sides = [box.right - box.left, box.bottom - box.top] as const;
    if (mean >= leastMean && Math.min(...sides) >= leastSide) lines.push(grown(box, sides, width, height));
  }
  return inReadingOrder(lines);
}

function componentAt(
  start: number,
  map: Float32Array,
  width: number,
  seen: Uint8Array,
): { box: LineBox; mean: number } {
  let [left, right, top, bottom, sum] = [width, 0, map.length, 0, 0];
  const cells = [start];
  seen[start] = 1;
  for (let next = 0; next < cells.length; next++) {
    const cell = cells[next] ?? 0;
    const column = cell % width;
    const row = (cell - column) / width;
    [left, right] = [Math.min(left, column), Math.max(right, column + 1)];
    [top, bottom] = [Math.min(top, row), Math.max(bottom, row + 1)];
    sum += map[cell] ?? 0;
    const neighbors = [cell - width, cell + width, column > 0 ? cell - 1 : -1, column + 1 < width ? cell + 1 : -1];
    for (const neighbor of neighbors) {
      if ((map[neighbor] ?? 0) < leastCell || seen[neighbor] === 1) continue;
      seen[neighbor] = 1;
      cells.push(neighbor);
    }
  }
  return { box: { left, top, right, bottom }, mean: sum / cells.length };
}

function grown(box: LineBox, [across, down]: readonly [number, number], width: number, height: number): LineBox {
  const margin = (growth * across * down) / (2 * (across + down));
  return {
    left: Math.max(0, box.left - margin),
    top: Math.max(0, box.top - margin),
    right: Math.min(width, box.right + margin),
    bottom: Math.min(height, box.bottom + margin),
  };
}

/** From top to bottom; boxes whose centers lie in the same row from left to right. */
function inReadingOrder(lines: readonly LineBox[]): LineBox[] {
  const middle = ({ top, bottom }: LineBox) => (top + bottom) / 2;
  const rows: LineBox[][] = [];
  for (const line of [...lines].sort((a, b) => middle(a) - middle(b))) {
    const row = rows.at(-1);
    const first = row?.[0];
    if (row !== undefined && first !== undefined && middle(line) < first.bottom && middle(first) > line.top)
      row.push(line);
    else rows.push([line]);
  }
  return rows.flatMap((row) => row.sort((a, b) => a.left - b.left));
}
