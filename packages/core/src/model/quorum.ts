/**
 * Quorums from which a plan chooses. A join of several edges that lists several quorums is a decision. A plan has it at
 * one stage, the carrier: the stage that joins. A combine stage has no plan, so its first member carries the quorum
 * that is a stage, is not optional, and carries no other one. Measured accuracies depend on the choice of a stage: its
 * variant, at its threshold and with its quorum.
 */
import type { AccuracyTable, MeasuredCombination } from './accuracy-table.js';
import type { StageId, VariantId } from './ids.js';
import type { EdgeSpec, Join, PipelineSpec, StageSpec } from './pipeline-spec.js';

interface Graph {
  readonly stages: readonly Pick<StageSpec, 'id' | 'optional'>[];
  readonly edges: readonly Pick<EdgeSpec, 'from' | 'to' | 'join'>[];
}

export interface QuorumChoice {
  readonly carrier: StageId;
  /** Stage or combine stage whose in-edges list the quorums. */
  readonly join: StageId;
  /** Ascending, at least two. */
  readonly quorums: readonly number[];
}

/** No name of a variant has a space. */
const WITH = ' with quorum ';

/** Joins whose quorum a plan chooses, with the stage that carries the choice. */
export function quorumChoices({ stages, edges }: Graph): readonly QuorumChoice[] {
  const listed = new Map<StageId, readonly number[]>();
  for (const { to, join } of edges) {
    const quorums = listedQuorums(join);
    if (quorums.length > 1 && !listed.has(to)) listed.set(to, quorums);
  }
  if (listed.size === 0) return [];
  const isStage = (id: StageId): boolean => stages.some((stage) => stage.id === id);
  const choices = [...listed].flatMap(([join, quorums]): QuorumChoice[] =>
    isStage(join) ? [{ carrier: join, join, quorums }] : [],
  );
  for (const [join, quorums] of listed) {
    if (isStage(join)) continue;
    const carrier = edges.find(
      ({ from, to }) =>
        to === join &&
        stages.some(({ id, optional }) => id === from && optional !== true) &&
        !choices.some((choice) => choice.carrier === from),
    )?.from;
    if (carrier !== undefined) choices.push({ carrier, join, quorums });
  }
  return choices;
}

const listedQuorums = (join: Join | undefined): readonly number[] =>
  (typeof join === 'object' ? join.quorums : undefined) ?? [];

/** Quorums from which a plan chooses at a stage; empty if it carries no choice. */
export function quorumsOf(graph: Graph, stage: StageId): readonly number[] {
  return quorumChoices(graph).find(({ carrier }) => carrier === stage)?.quorums ?? [];
}

export const hasQuorumChoices = ({ edges }: Pick<PipelineSpec, 'edges'>): boolean =>
  edges.some(({ join }) => listedQuorums(join).length > 1);

/** The choice of a stage, with the quorum that it carries. */
export function atQuorum(choice: VariantId, quorum: number | undefined): VariantId {
  return quorum === undefined ? choice : (`${choice}${WITH}${quorum}` as VariantId);
}

/** Quorum of a choice; undefined without one. */
export function quorumOfChoice(choice: VariantId): number | undefined {
  const end = choice.indexOf(WITH);
  return end < 0 ? undefined : Number(choice.slice(end + WITH.length));
}

/** A choice without its quorum, on which shares do not depend. */
export function withoutQuorum(choice: VariantId): VariantId {
  const end = choice.indexOf(WITH);
  return end < 0 ? choice : (choice.slice(0, end) as VariantId);
}

/**
 * The spec with fixed quorums, by carrier. Measured combinations are those of these quorums. Joins without an entry keep
 * their choices.
 */
export function withQuorums(spec: PipelineSpec, chosen: ReadonlyMap<StageId, number>): PipelineSpec {
  if (chosen.size === 0) return spec;
  const quorumOf = new Map(
    quorumChoices(spec).flatMap(({ carrier, join }) => {
      const quorum = chosen.get(carrier);
      return quorum === undefined ? [] : [[join, quorum] as const];
    }),
  );
  const { accuracyTable } = spec;
  return {
    ...spec,
    edges: spec.edges.map((edge) => {
      const quorum = quorumOf.get(edge.to);
      return quorum === undefined ? edge : { ...edge, join: { quorum } };
    }),
    ...(accuracyTable && { accuracyTable: tableWith(accuracyTable, chosen) }),
  };
}

/** A combination that names no quorum holds for all: it omits the join. */
function tableWith(table: AccuracyTable, chosen: ReadonlyMap<StageId, number>): AccuracyTable {
  const combinations: MeasuredCombination[] = [];
  for (const each of table.combinations) {
    if (!isWith(each.variants, chosen)) continue;
    const variants: Record<StageId, VariantId> = { ...each.variants };
    for (const stage of chosen.keys()) variants[stage] = withoutQuorum(variants[stage] as VariantId);
    combinations.push({ ...each, variants });
  }
  return { ...table, combinations };
}

function isWith(variants: MeasuredCombination['variants'], chosen: ReadonlyMap<StageId, number>): boolean {
  for (const [stage, quorum] of chosen) {
    const choice = variants[stage];
    if (choice === undefined || (quorumOfChoice(choice) ?? quorum) !== quorum) return false;
  }
  return true;
}
