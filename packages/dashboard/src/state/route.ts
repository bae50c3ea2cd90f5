/** The place in the page: `#/PIPELINE/VIEW/DETAIL`. */
import { signal } from '@preact/signals';

export const VIEWS = ['overview', 'decisions', 'what-if', 'frontier', 'requests', 'why', 'profiles'] as const;
export type View = (typeof VIEWS)[number];

export interface Place {
  readonly pipeline: string | undefined;
  readonly view: View;
  readonly detail: string | undefined;
}

export function placeOf(hash: string): Place {
  const [pipeline, view, detail] = hash
    .replace(/^#?\/?/, '')
    .split('/')
    .map(decoded);
  return {
    pipeline: pipeline || undefined,
    view: VIEWS.find((known) => known === view) ?? 'overview',
    detail: detail || undefined,
  };
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

export const hashOf = (pipeline: string, view: View, detail?: string | number): string =>
  `#/${encodeURIComponent(pipeline)}/${view}${detail === undefined ? '' : `/${encodeURIComponent(detail)}`}`;

export const place = signal<Place>(placeOf(''));

export function followHash(): void {
  const follow = () => {
    place.value = placeOf(location.hash);
  };
  addEventListener('hashchange', follow);
  follow();
}
