/** Profiles: how long a batch takes, by batch size and cores, and how well the fitted curve matches. */
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { failureText } from '../api/admin-client.js';
import type { ProfilesAnswer, VariantProfile } from '../api/answers.js';
import { digits, durationText, latencyFigure, text } from '../format/figures.js';
import type { PipelineState } from '../state/pipeline-state.js';
import { profileKey, profilePlot, profileRows } from '../state/profiles.js';
import { hashOf, place } from '../state/route.js';
import { Notice } from './notice.js';
import { Scroll } from './scroll.js';
import { useWidth } from './use-width.js';

type Read =
  | { readonly kind: 'loading' }
  | { readonly kind: 'missing' }
  | { readonly kind: 'failed'; readonly message: string }
  | { readonly kind: 'read'; readonly answer: ProfilesAnswer };

export function ProfilesView({ state }: { readonly state: PipelineState }) {
  const read = useSignal<Read>({ kind: 'loading' });
  useEffect(() => {
    let isCurrent = true;
    void state.client.get<ProfilesAnswer>(state.path('/profiles')).then((answer) => {
      if (!isCurrent) return;
      if (answer.ok) read.value = { kind: 'read', answer: answer.value };
      else if (answer.failure.kind === 'not-found' && answer.failure.isRoute) read.value = { kind: 'missing' };
      else read.value = { kind: 'failed', message: failureText(answer.failure) };
    });
    return () => {
      isCurrent = false;
    };
  }, []);
  const { value } = read;
  if (value.kind === 'loading') return <Notice kind="loading" title="Reading the profiles" />;
  if (value.kind === 'missing') {
    return (
      <Notice kind="empty" title="This server does not show its profiles">
        <p>It is older than this page.</p>
      </Notice>
    );
  }
  if (value.kind === 'failed') {
    return (
      <Notice kind="bad" title="The profiles cannot be read">
        <p>{value.message}</p>
      </Notice>
    );
  }
  const { profiles } = value.answer;
  const shown = profiles.find((profile) => profileKey(profile) === place.value.detail) ?? profiles[0];
  if (shown === undefined) return <Notice kind="empty" title="No profiles" />;
  return (
    <section class="panel" aria-label="Profile">
      <div class="panel-head">
        <h2>Profile</h2>
        <select
          aria-label="Stage and variant"
          value={profileKey(shown)}
          onChange={({ currentTarget }) => {
            location.hash = hashOf(state.name, 'profiles', currentTarget.value);
          }}
        >
          {profiles.map((profile) => (
            <option key={profileKey(profile)} value={profileKey(profile)}>
              {profile.stageId} · {profile.variantId}
            </option>
          ))}
        </select>
      </div>
      <Explorer profile={shown} />
    </section>
  );
}

const COLORS = ['c1', 'c2', 'c4', 'c5', 'c3'] as const;
const colorOf = (index: number) => COLORS[index % COLORS.length] ?? 'c1';

function Explorer({ profile }: { readonly profile: VariantProfile }) {
  const { loadMs, scaled } = profile;
  return (
    <>
      <p class="muted">
        A replica needs {durationText(loadMs)} from start to ready. Dots are measured, with the 95 % interval of the
        mean; lines are the fitted curve that plans use.
        {scaled !== undefined && ` Measured on ${scaled.measuredOn}; times are multiplied by ${digits(scaled.factor)}.`}
      </p>
      <ul class="legend">
        {profile.curves.map(({ cpuCores }, index) => (
          <li key={cpuCores}>
            <span class={`swatch swatch-${colorOf(index)}`} aria-hidden="true" /> {digits(cpuCores)}{' '}
            {cpuCores === 1 ? 'core' : 'cores'}
          </li>
        ))}
      </ul>
      <div class="charts">
        <Plot profile={profile} by="latency" />
        <Plot profile={profile} by="throughput" />
      </div>
      <Residuals profile={profile} />
    </>
  );
}

function Plot({ profile, by }: { readonly profile: VariantProfile; readonly by: 'latency' | 'throughput' }) {
  const { box, widthPx } = useWidth<HTMLElement>();
  const { width, height, lines, xTicks, yTicks } = profilePlot(profile, by, widthPx || undefined);
  const title = by === 'latency' ? 'Time of a batch' : 'Throughput of a replica';
  const unit = by === 'latency' ? 'ms, mean' : 'items/s';
  return (
    <figure class="chart" ref={box}>
      <figcaption>
        <h3>
          {title} <span class="unit">{unit}</span>
        </h3>
      </figcaption>
      <svg
        class="scatter"
        viewBox={`0 0 ${width} ${height}`}
        role="img"
        aria-label={`${title} by batch size; the table below has the same points`}
      >
        {yTicks.map(({ at, label }) => (
          <g key={at}>
            <line x1="52" x2={width - 12} y1={at} y2={at} class="grid" />
            <text x="44" y={at + 4} text-anchor="end">
              {label}
            </text>
          </g>
        ))}
        {xTicks.map(({ at, label }) => (
          <text key={label} x={at} y={height - 22} text-anchor="middle">
            {label}
          </text>
        ))}
        <text x={width - 12} y={height - 5} text-anchor="end" class="muted">
          batch size
        </text>
        {lines.map(({ cpuCores, path, dots }, index) => (
          <g key={cpuCores} class={`swatch-${colorOf(index)}`}>
            <path d={path} fill="none" stroke="currentColor" stroke-width="1.5" />
            {dots.map(({ x, y, low, high }) => (
              <g key={x}>
                <line x1={x} x2={x} y1={low} y2={high} stroke="currentColor" />
                <circle cx={x} cy={y} r="3.5" fill="currentColor" />
              </g>
            ))}
          </g>
        ))}
      </svg>
    </figure>
  );
}

const signed = (fraction: number | undefined): string =>
  fraction === undefined ? '–' : `${fraction >= 0 ? '+' : '−'}${(100 * Math.abs(fraction)).toFixed(1)} %`;

function Residuals({ profile }: { readonly profile: VariantProfile }) {
  return (
    <Scroll name="Points of the profile">
      <table>
        <thead>
          <tr>
            <th class="number">Cores</th>
            <th class="number">Batch</th>
            <th class="number">Mean</th>
            <th class="number">p99</th>
            <th class="number">Fitted</th>
            <th class="number">Residual</th>
            <th class="number">Uncertainty</th>
            <th class="number">Throughput</th>
          </tr>
        </thead>
        <tbody>
          {profileRows(profile).map((row) => (
            <tr key={`${row.cpuCores}-${row.batchSize}`}>
              <td class="number">{digits(row.cpuCores)}</td>
              <td class="number">{row.batchSize}</td>
              <td class="number">{text(latencyFigure(row.meanMs))}</td>
              <td class="number">{text(latencyFigure(row.p99Ms))}</td>
              <td class="number">{text(latencyFigure(row.fittedMs))}</td>
              <td class="number">{signed(row.residual)}</td>
              <td class={`number ${(row.uncertainty ?? 0) > 0.1 ? 'is-warn' : ''}`}>
                {row.uncertainty === undefined ? '–' : `± ${(100 * row.uncertainty).toFixed(1)} %`}
              </td>
              <td class="number">{row.throughputRps === undefined ? '–' : `${digits(row.throughputRps)} items/s`}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}
