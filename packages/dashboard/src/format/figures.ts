/** Figures as people read them: few digits, always with a unit. */

/** `unit` may be empty. */
export interface Figure {
  readonly value: string;
  readonly unit: string;
}

const NONE: Figure = { value: '–', unit: '' };

const isFigure = (value: number | null | undefined): value is number =>
  typeof value === 'number' && Number.isFinite(value);

/** Less is shown as 0. */
const LEAST_SHOWN = 5e-5;

/** Two or three significant digits, without trailing noise: 0.30000000000000004 is 0.3. */
export function digits(value: number): string {
  const size = Math.abs(value);
  if (size >= 999.5) return Math.round(value).toLocaleString('en-US');
  if (size < 0.1) return size < LEAST_SHOWN ? '0' : `${Number(value.toPrecision(2))}`;
  const decimals = size >= 100 ? 0 : size >= 10 ? 1 : 2;
  return `${Number(value.toFixed(decimals))}`;
}

/** Like `digits`, but keeps trailing zeros, so that a changing figure keeps its width. */
export function steadyDigits(value: number): string {
  const size = Math.abs(value);
  if (size >= 999.5) return Math.round(value).toLocaleString('en-US');
  return value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : 2);
}

export function rateFigure(rps: number | null | undefined): Figure {
  return isFigure(rps) ? { value: steadyDigits(rps), unit: 'req/s' } : NONE;
}

export function latencyFigure(ms: number | null | undefined): Figure {
  if (ms === Number.POSITIVE_INFINITY) return { value: '∞', unit: '' };
  if (!isFigure(ms)) return NONE;
  if (ms >= 999.5) return { value: (ms / 1000).toFixed(ms >= 10_000 ? 1 : 2), unit: 's' };
  return { value: ms >= 10 ? ms.toFixed(0) : ms.toFixed(1), unit: 'ms' };
}

/** Shows 99.96 % as such: only a whole is 100 %. */
export function percentFigure(fraction: number | null | undefined, decimals = 1): Figure {
  if (!isFigure(fraction)) return NONE;
  const percent = 100 * fraction;
  const step = 10 ** -decimals;
  const shown = fraction < 1 && percent > 100 - step / 2 ? 100 - step : percent;
  return { value: shown.toFixed(decimals), unit: '%' };
}

export function coresFigure(cores: number | null | undefined): Figure {
  return isFigure(cores) ? { value: digits(cores), unit: Number(digits(cores)) === 1 ? 'core' : 'cores' } : NONE;
}

/** Costs have the unit of the prices in the pipeline file. */
export function costFigure(perHour: number | null | undefined): Figure {
  return isFigure(perHour) ? { value: perHour.toFixed(2), unit: 'per hour' } : NONE;
}

export function accuracyFigure(pas: number | null | undefined): Figure {
  return isFigure(pas) ? { value: pas.toFixed(3), unit: '' } : NONE;
}

export const text = ({ value, unit }: Figure): string => (unit === '' ? value : `${value} ${unit}`);

export function ageText(ms: number): string {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 1) return 'now';
  if (s < 90) return `${s} s ago`;
  if (s < 90 * 60) return `${Math.round(s / 60)} min ago`;
  if (s < 48 * 3600) return `${Math.round(s / 3600)} h ago`;
  return `${Math.round(s / 86_400)} days ago`;
}

export function durationText(ms: number): string {
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  if (ms < 120_000) return `${digits(ms / 1000)} s`;
  if (ms < 7_200_000) return `${Math.round(ms / 60_000)} min`;
  return `${digits(ms / 3_600_000)} h`;
}

/** By hand, because a formatter of the browser is slow to make and each axis and row of a list has times. */
export function clockText(epochMs: number): string {
  const time = new Date(epochMs);
  return [time.getHours(), time.getMinutes(), time.getSeconds()].map((part) => `${part}`.padStart(2, '0')).join(':');
}

/** Day and time if the day is not today. */
export function momentText(epochMs: number, nowEpochMs: number): string {
  const day = (ms: number) => new Date(ms).toDateString();
  if (day(epochMs) === day(nowEpochMs)) return clockText(epochMs);
  const date = new Date(epochMs).toLocaleDateString('en-GB', { day: 'numeric', month: 'short' });
  return `${date} ${clockText(epochMs)}`;
}

export const reasonText = (reason: string): string => reason.replaceAll('-', ' ');
