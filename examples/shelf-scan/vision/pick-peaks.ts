/**
 * Turns a detector's grid into objects. A cell (8 px) holds an object's center if its probability is at least 0.5 and the
 * highest of its 3 x 3 neighborhood ("Objects as Points", section 4.1). Of peaks within 22 px of each other only the
 * best stays, because garments never lie closer. Detectors are calibrated to the threshold 0.5.
 */

/** Cells per side of a detector's grid. */
export const gridSide = 28;
const cellPx = 8;
const planeSize = gridSide * gridSide;
const leastScore = 0.5;
const apartPx = 22;
const mostObjects = 12;
const referenceSidePx = 48;

/** Found object: center and side of its square box in px of the scene, score 0…1. */
export interface FoundObject {
  readonly x: number;
  readonly y: number;
  readonly sidePx: number;
  readonly score: number;
}

/** Objects of one scene, best first and at most 12; `cells` holds [4, 28, 28]: probability, offset x and y, ln(side / 48 px). */
export function pickPeaks(cells: Float32Array): FoundObject[] {
  const peaks: FoundObject[] = [];
  for (let cell = 0; cell < planeSize; cell++) {
    if (at(cells, cell) >= leastScore && isHighest(cells, cell)) peaks.push(objectAt(cells, cell));
  }
  peaks.sort((a, b) => b.score - a.score);
  const kept: FoundObject[] = [];
  for (const peak of peaks) {
    if (kept.length === mostObjects) break;
    if (kept.every((better) => Math.hypot(peak.x - better.x, peak.y - better.y) >= apartPx)) kept.push(peak);
  }
  return kept;
}

function isHighest(cells: Float32Array, cell: number): boolean {
  const row = Math.floor(cell / gridSide);
  const column = cell % gridSide;
  const score = at(cells, cell);
  for (let y = Math.max(row - 1, 0); y <= Math.min(row + 1, gridSide - 1); y++) {
    for (let x = Math.max(column - 1, 0); x <= Math.min(column + 1, gridSide - 1); x++) {
      if (at(cells, y * gridSide + x) > score) return false;
    }
  }
  return true;
}

function objectAt(cells: Float32Array, cell: number): FoundObject {
  return {
    x: ((cell % gridSide) + 0.5 + at(cells, planeSize + cell)) * cellPx,
    y: (Math.floor(cell / gridSide) + 0.5 + at(cells, 2 * planeSize + cell)) * cellPx,
    sidePx: referenceSidePx * Math.exp(at(cells, 3 * planeSize + cell)),
    score: at(cells, cell),
  };
}

function at(values: Float32Array, index: number): number {
  return values[index] ?? 0;
}
