import { Presets, SingleBar } from 'cli-progress';

export interface Progress {
  readonly doneUnits: number;
  readonly totalUnits: number;
  readonly etaMs: number;
  readonly label: string;
}

export interface ProgressDisplay {
  show(progress: Progress): void;
  stop(): void;
}

const LINE_EVERY_MS = 5_000;

/** Display on stderr: a bar with remaining time on a terminal, occasional lines elsewhere. */
export function progressDisplay(title: string): ProgressDisplay {
  return process.stderr.isTTY ? progressBar(title) : progressLines(title);
}

function progressBar(title: string): ProgressDisplay {
  const format = `${title} {bar} {percentage}%{remaining} · {label}`;
  const bar = new SingleBar(
    { format, stream: process.stderr, hideCursor: true, clearOnComplete: true },
    Presets.shades_classic,
  );
  let started = false;
  return {
    show: ({ doneUnits, totalUnits, etaMs, label }) => {
      const payload = { remaining: leftText(' · ', etaMs), label };
      if (started) {
        bar.setTotal(totalUnits);
        bar.update(doneUnits, payload);
      } else bar.start(totalUnits, doneUnits, payload);
      started = true;
    },
    stop: () => bar.stop(),
  };
}

function progressLines(title: string): ProgressDisplay {
  let nextAtMs = 0;
  return {
    show: ({ doneUnits, totalUnits, etaMs, label }) => {
      if (performance.now() < nextAtMs) return;
      nextAtMs = performance.now() + LINE_EVERY_MS;
      process.stderr.write(
        `${title} ${Math.round(doneUnits)}/${Math.round(totalUnits)}${leftText(', ', etaMs)}: ${label}\n`,
      );
    },
    stop: () => {},
  };
}

/** Empty until the time is known. */
function leftText(separator: string, ms: number): string {
  if (!Number.isFinite(ms)) return '';
  const time = ms > 120_000 ? `${Math.ceil(ms / 60_000)} min` : `${Math.ceil(ms / 1000)} s`;
  return `${separator}${time} left`;
}
