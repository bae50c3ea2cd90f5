import { digits, latencyFigure, steadyDigits, text } from '../format/figures.js';
import type { ReplicaCounts, StageStatus } from '../state/stage-status.js';

export interface StageCardProps {
  readonly id: string;
  readonly status: StageStatus;
  readonly style: Readonly<Record<string, string>>;
  readonly isPinned: boolean;
  readonly canary: { readonly variantId: string; readonly fraction: number } | undefined;
  readonly open: (id: string) => void;
}

export function StageCard({ id, status, style, isPinned, canary, open }: StageCardProps) {
  const { replicas, variantId, cpuCores, desired, note, level } = status;
  const of = desired === undefined || desired === replicas.ready ? '' : ` of ${desired}`;
  const resources = cpuCores === undefined ? '' : ` × ${digits(cpuCores)} ${cpuCores === 1 ? 'core' : 'cores'}`;
  return (
    <button type="button" class={`stage is-${level}`} style={style} onClick={() => open(id)} aria-haspopup="dialog">
      <span class="stage-head">
        <strong>{id}</strong>
        {isPinned && (
          <span class="pin" title="Pinned by hand">
            pinned
          </span>
        )}
        <span class="chip">{variantId ?? ''}</span>
      </span>
      <ReplicaDots replicas={replicas} />
      <span class="stage-line">
        {replicas.ready}
        {of} ready{resources}
      </span>
      <span class="stage-figures">
        <Small name="in" value={status.itemsRps === undefined ? '–' : steadyDigits(status.itemsRps)} unit="/s" />
        <Small name="queue" value={`${status.queueLength}`} unit="" />
        <Small
          name="fill"
          value={status.batchFill === undefined ? '–' : `${Math.round(100 * status.batchFill)}`}
          unit="%"
        />
        {status.p99Ms === undefined ? (
          <Small name="run" {...latencyFigure(status.runMs)} />
        ) : (
          <Small name="p99" {...latencyFigure(status.p99Ms)} />
        )}
      </span>
      <span class="stage-note">
        {canary ? `canary ${canary.variantId} at ${Math.round(100 * canary.fraction)} %` : (note ?? waitText(status))}
      </span>
    </button>
  );
}

const waitText = ({ waitMs, maxBatchSize }: StageStatus): string =>
  [
    waitMs === undefined ? '' : `waits ${text(latencyFigure(waitMs))}`,
    maxBatchSize === undefined ? '' : `batch ≤ ${maxBatchSize}`,
  ]
    .filter((part) => part !== '')
    .join(' · ');

function Small({ name, value, unit }: { readonly name: string; readonly value: string; readonly unit: string }) {
  return (
    <span class="small">
      <span class="muted">{name}</span>
      <span class="value">
        {value}
        <span class="unit">{value === '–' ? '' : unit}</span>
      </span>
    </span>
  );
}

const MOST_DOTS = 16;

function ReplicaDots({ replicas }: { readonly replicas: ReplicaCounts }) {
  const all = (['ready', 'starting', 'draining', 'unhealthy'] as const).flatMap((status) =>
    Array.from({ length: replicas[status] }, () => status),
  );
  const label = Object.entries(replicas)
    .filter(([, count]) => count > 0)
    .map(([status, count]) => `${count} ${status}`)
    .join(', ');
  return (
    <span class="dots" role="img" aria-label={label === '' ? 'no replicas' : label}>
      {all.slice(0, MOST_DOTS).map((status, index) => (
        <span key={index} class={`dot is-${status}`} />
      ))}
      {all.length > MOST_DOTS && <span class="muted">+{all.length - MOST_DOTS}</span>}
    </span>
  );
}
