/**
 * Division of a budget among the routers of one machine. Each router has an equal share; one of them at a time may also
 * use the surge of a change. Cores are given only when they are free: each router tells the newest instruction that it
 * obeys and the cores that it may still hold. So all routers together never hold more than budget and surge.
 */
import { CORES_TOLERANCE } from './headroom.js';

/** State that a router tells. */
export interface RouterCores {
  readonly id: string;
  /** Newest instruction that the router obeys. */
  readonly version: number;
  /** Maximum cores of its replicas without the surge: its share, or a larger plan that it is leaving. */
  readonly limitCores: number;
  /** True while the router may use the surge, or its replicas still do. */
  readonly usesSurge: boolean;
  /** True if it needs the surge for a change. */
  readonly wantsSurge: boolean;
}

/** Instruction to a router. `count` 0: it has no share yet. */
export interface CoreGrant {
  /** Number of routers among which the budget is divided. */
  readonly count: number;
  readonly shareCores: number;
  readonly surge: boolean;
  /** Version in which this instruction began. */
  readonly version: number;
  /** Cores and surge that the router may hold by this instruction or by an earlier one. */
  readonly reservedCores: number;
  readonly reservedSurge: boolean;
}

export type CoreGrants = Readonly<Record<string, CoreGrant>>;

export interface CoreDivision {
  readonly budgetCores: number;
  readonly count: number;
  /** Router that has the surge while no other router needs it. */
  readonly leadId: string;
  /** Version of the new instructions; above all earlier ones. */
  readonly version: number;
}

const NO_GRANT: CoreGrant = {
  count: 0,
  shareCores: 0,
  surge: false,
  version: 0,
  reservedCores: 0,
  reservedSurge: false,
};

/**
 * Next instructions for the routers that live, in order of preference. At most `count` routers get a share. Cores of
 * routers that are not listed are free.
 */
export function divideCores(
  { budgetCores, count, leadId, version }: CoreDivision,
  routers: readonly RouterCores[],
  before: CoreGrants,
): CoreGrants {
  const grants = new Map(routers.map((router) => [router.id, heard(router, before[router.id] ?? NO_GRANT)]));
  const change = (id: string, grant: CoreGrant, to: Pick<CoreGrant, 'count' | 'shareCores' | 'surge'>): void => {
    const reservedCores = Math.max(grant.reservedCores, to.shareCores);
    grants.set(id, { ...to, version, reservedCores, reservedSurge: grant.reservedSurge || to.surge });
  };
  const share = budgetCores / count;
  const served = routers.slice(0, count);
  for (const { id } of served) {
    const grant = grants.get(id) ?? NO_GRANT;
    if (grant.count === count && grant.shareCores === share) continue;
    const others = [...grants].reduce(
      (sum, [other, { reservedCores }]) => (other === id ? sum : sum + reservedCores),
      0,
    );
    const isFree = share <= grant.shareCores || others + share <= budgetCores + CORES_TOLERANCE;
    if (isFree) change(id, grant, { count, shareCores: share, surge: grant.surge });
  }
  giveSurge(served, { leadId, grants, change });
  return Object.fromEntries(grants);
}

/** Reservations that the state of a router ends. */
function heard({ version, limitCores, usesSurge }: RouterCores, grant: CoreGrant): CoreGrant {
  const obeys = version >= grant.version;
  return {
    ...grant,
    reservedCores: Math.max(grant.shareCores, limitCores, obeys ? 0 : grant.reservedCores),
    reservedSurge: grant.surge || usesSurge || (!obeys && grant.reservedSurge),
  };
}

interface SurgeInput {
  readonly leadId: string;
  readonly grants: ReadonlyMap<string, CoreGrant>;
  readonly change: (id: string, grant: CoreGrant, to: CoreGrant) => void;
}

/** A router that needs the surge gets it from the lead, and keeps it until its change is over. */
function giveSurge(routers: readonly RouterCores[], { leadId, grants, change }: SurgeInput): void {
  const grantOf = (id: string): CoreGrant => grants.get(id) ?? NO_GRANT;
  const owner = routers.find(({ id }) => grantOf(id).surge);
  const next =
    owner !== undefined && owner.id !== leadId && owner.wantsSurge
      ? owner.id
      : (routers.find(({ id, wantsSurge }) => id !== leadId && wantsSurge && grantOf(id).count > 0)?.id ?? leadId);
  if (owner !== undefined && owner.id !== next) {
    // The lead keeps the surge until its own change is over.
    if (owner.id === leadId && owner.wantsSurge) return;
    change(owner.id, grantOf(owner.id), { ...grantOf(owner.id), surge: false });
  }
  const isHeld = [...grants].some(([id, { reservedSurge }]) => id !== next && reservedSurge);
  if (!isHeld && grants.has(next) && !grantOf(next).surge)
    change(next, grantOf(next), { ...grantOf(next), surge: true });
}
