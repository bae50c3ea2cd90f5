/**
 * Marks of points. Marks at one place lie inside each other, the first layer innermost, and a number says how many there
 * are.
 */
import { escapeXml } from '../markup/escape-xml.js';
import { type Frame, px } from './draw-layers.js';
import type { PointLayer } from './plot-spec.js';

/** Centers at this distance (pixels of the picture) are at one place. */
const SAME_PLACE = 2;
const RADIUS = 4.2;
/** Growth of the marks around the innermost one, as a multiple of its size. */
const GROWTH = 0.75;
const LARGEST = 2.5;
/** Distance to the next place that the number needs. */
const NUMBER_SPACE = 24;

interface Mark extends Pick<PointLayer, 'color' | 'shape'> {
  readonly x: number;
  readonly y: number;
  readonly tip?: string | undefined;
  readonly size?: number;
}

interface MarkPlace {
  readonly x: number;
  readonly y: number;
  readonly marks: Mark[];
}

export function pointsSvg(layers: readonly PointLayer[], frame: Frame): string {
  const places = placesOf(layers, frame);
  return places.map((place) => placeSvg(place, places, frame)).join('');
}

/** From left to right. */
function placesOf(layers: readonly PointLayer[], frame: Frame): readonly MarkPlace[] {
  const marks = layers
    .flatMap(({ color, shape, points }) =>
      points.map(({ x, y, tip }): Mark => ({ x: frame.x(x), y: frame.y(y), color, shape, tip })),
    )
    .filter(({ x, y }) => Number.isFinite(x) && Number.isFinite(y))
    .sort((a, b) => a.x - b.x);
  const places: MarkPlace[] = [];
  for (const mark of marks) {
    const { x, y } = mark;
    let i = places.length - 1;
    while (i >= 0 && x - (places[i]?.x ?? 0) <= SAME_PLACE && Math.abs(y - (places[i]?.y ?? 0)) > SAME_PLACE) i -= 1;
    const place = places[i];
    if (place !== undefined && x - place.x <= SAME_PLACE) place.marks.push(mark);
    else places.push({ x, y, marks: [mark] });
  }
  return places;
}

function placeSvg(place: MarkPlace, places: readonly MarkPlace[], frame: Frame): string {
  const { x, y, marks } = place;
  const [first] = marks;
  if (first === undefined || marks.length === 1) return first === undefined ? '' : markSvg(first);
  const space = Math.min(
    ...places.filter((other) => other !== place).map((other) => Math.hypot(other.x - x, other.y - y)),
  );
  const largest = Math.max(1, Math.min(LARGEST, space / 2 / RADIUS));
  const kinds = [...new Set(marks.map(kindOf))];
  const sizeOf = (mark: Mark) => Math.min(largest, 1 + GROWTH * kinds.indexOf(kindOf(mark)));
  const sized = marks.map((mark) => ({ ...mark, x, y, size: sizeOf(mark) })).sort((a, b) => b.size - a.size);
  const radius = RADIUS * (sized[0]?.size ?? 1);
  return `${sized.map(markSvg).join('')}${space < NUMBER_SPACE ? '' : numberSvg(place, radius, frame)}`;
}

const kindOf = ({ color, shape }: Mark): string => `${color} ${shape}`;

function numberSvg({ x, y, marks }: MarkPlace, radius: number, { right }: Frame): string {
  const isLeft = x + NUMBER_SPACE > right;
  const [left, anchor] = isLeft ? [x - radius - 3, ' text-anchor="end"'] : [x + radius + 3, ''];
  return `<text class="strong" x="${px(left)}" y="${px(y - radius + 2)}"${anchor}>×${marks.length}</text>`;
}

export function markSvg({ x, y, color, shape, tip, size = 1 }: Mark): string {
  const attributes = `class="${color} ${shape === 'ring' ? 'ring' : 'dot'}"${tip === undefined ? '' : ` data-tip="${escapeXml(tip)}"`}`;
  const [left, top] = [px(x), px(y)];
  const s = (length: number) => px(length * size);
  switch (shape) {
    case 'disc':
    case 'ring':
      return `<circle ${attributes} cx="${left}" cy="${top}" r="${s(RADIUS)}"/>`;
    case 'square':
      return `<rect ${attributes} x="${px(x - 4 * size)}" y="${px(y - 4 * size)}" width="${s(8)}" height="${s(8)}"/>`;
    case 'diamond': {
      const d = s(5.5);
      return `<path ${attributes} d="M${left},${px(y - 5.5 * size)}l${d},${d}l-${d},${d}l-${d},-${d}z"/>`;
    }
    case 'triangle':
      return `<path ${attributes} d="M${left},${px(y - 5 * size)}l${s(5)},${s(9)}h-${s(10)}z"/>`;
  }
}
