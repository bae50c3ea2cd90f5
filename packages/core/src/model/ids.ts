/** Branded names: a stage name cannot be passed for a variant name. */
declare const brand: unique symbol;
type Branded<Name extends string> = string & { readonly [brand]: Name };

/** Unique in its pipeline. */
export type StageId = Branded<'StageId'>;
/** Unique in its stage. */
export type VariantId = Branded<'VariantId'>;
/** Never reused while a process lives. */
export type ReplicaId = Branded<'ReplicaId'>;

export interface StageVariant {
  readonly stageId: StageId;
  readonly variantId: VariantId;
}

export const stageId = (name: string): StageId => name as StageId;
export const variantId = (name: string): VariantId => name as VariantId;
export const replicaId = (name: string): ReplicaId => name as ReplicaId;
