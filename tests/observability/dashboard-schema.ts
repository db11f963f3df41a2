/**
 * The dashboard's file as Grafana's published types describe it (`@grafana/schema`, generated from its CUE schemas): the
 * dashboard itself, and for each kind of panel that it has the plugin's own options and field settings. What a
 * Prometheus query and its annotation may hold is not published there.
 */
import type {
  AnnotationQuery,
  Dashboard,
  FieldConfig,
  FieldConfigSource,
  Panel,
  RowPanel,
  TableFieldOptions,
} from "@grafana/schema";
import type { Options as StatOptions } from "@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen";
import type {
  FieldConfig as StateTimelineField,
  Options as StateTimelineOptions,
} from "@grafana/schema/dist/esm/raw/composable/statetimeline/panelcfg/x/StateTimelinePanelCfg_types.gen";
import type { Options as TableOptions } from "@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen";
import type {
  FieldConfig as TimeSeriesField,
  Options as TimeSeriesOptions,
} from "@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen";

/** The type as a JSON file can hold it: a word in place of a string enum's member. */
type Json<T> = T extends string ? `${T}` : T extends object ? { [Key in keyof T]: Json<T[Key]> } : T;

type PrometheusQuery = {
  readonly refId: string;
  readonly datasource: { readonly type: string; readonly uid: string };
  readonly expr: string;
  readonly legendFormat?: string;
  readonly instant?: boolean;
  readonly range?: boolean;
  readonly format?: "table" | "time_series";
};

type PrometheusAnnotation = {
  readonly expr: string;
  readonly titleFormat: string;
  readonly tagKeys: string;
  /** The value of a series is the event's time, in milliseconds. */
  readonly useValueForTime: boolean;
};

type PanelOf<Type extends string, Options, Field> = Omit<
  Panel,
  "type" | "targets" | "options" | "fieldConfig"
> & {
  readonly type: Type;
  readonly fieldConfig: {
    readonly defaults: Omit<FieldConfig, "custom"> & { readonly custom?: Field };
    readonly overrides: FieldConfigSource["overrides"];
  };
  readonly options: Partial<Options>;
  readonly targets: readonly PrometheusQuery[];
};

type DashboardPanel =
  | RowPanel
  | PanelOf<"stat", StatOptions, Record<string, never>>
  | PanelOf<"timeseries", TimeSeriesOptions, TimeSeriesField>
  | PanelOf<"state-timeline", StateTimelineOptions, StateTimelineField>
  | PanelOf<"table", TableOptions, Partial<TableFieldOptions>>;

export type DashboardFile = Json<
  Omit<Dashboard, "panels" | "annotations"> & {
    readonly panels: readonly DashboardPanel[];
    readonly annotations: { readonly list: readonly (AnnotationQuery & PrometheusAnnotation)[] };
  }
>;
