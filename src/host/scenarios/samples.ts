/** Scenarios that come with the extension. Listed when it is built: not every host can list the extension's folder. */
export interface ShippedScenario {
  /** Below `samples/`: `bugs/vtd-parent-flush.iopte.yaml`. */
  readonly path: string;
  readonly title: string;
}

export const shippedScenarios = (): readonly ShippedScenario[] => SHIPPED_SCENARIOS;
