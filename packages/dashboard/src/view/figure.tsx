/** A figure with its unit, aligned. */
import type { ComponentChildren } from 'preact';
import type { Figure } from '../format/figures.js';

function FigureText({ figure: { value, unit } }: { readonly figure: Figure }) {
  return (
    <span class="figure">
      <span class="value">{value}</span>
      {unit !== '' && <span class="unit"> {unit}</span>}
    </span>
  );
}

export type Level = 'ok' | 'warn' | 'bad' | 'none';

export interface TileProps {
  readonly name: string;
  readonly figure: Figure;
  readonly level?: Level;
  /** Fraction of a limit that is used, for the bar. */
  readonly used?: number | undefined;
  readonly children?: ComponentChildren;
}

export function Tile({ name, figure, level = 'none', used, children }: TileProps) {
  return (
    <div class={`tile is-${level}`}>
      <dt>{name}</dt>
      <dd>
        <FigureText figure={figure} />
        <span class="beside">{children}</span>
        {used !== undefined && <Bar used={used} level={level} />}
      </dd>
    </div>
  );
}

function Bar({ used, level }: { readonly used: number; readonly level: Level }) {
  const percent = Math.max(0, Math.min(1, used)) * 100;
  return (
    <span class={`bar is-${level}`} aria-hidden="true">
      <span style={{ width: `${percent}%` }} />
    </span>
  );
}
