export type Rect = { readonly left: number; readonly top: number; readonly width: number; readonly height: number };

/** Where everything goes. A rect of no height is not shown. */
export type Layout = {
  readonly header: Rect;
  readonly system: Rect; // what is wrong with the system
  readonly list: Rect; // the column titles in its first row
  readonly stripTitle: Rect;
  readonly alarms: Rect; // those of the selected patient
  readonly strip: Rect;
  readonly facts: Rect;
  readonly trend: Rect; // its title in the first row
  readonly heart: Rect; // likewise: the heart rate in large digits
  readonly notice: Rect;
  readonly footer: Rect;
};

export type View = {
  readonly width: number;
  readonly height: number;
  readonly patients: number;
  readonly alarms: number;
  readonly furtherVitals: boolean; // of the selected patient: those without a column in the list
  readonly detail: boolean;
};

const SIDE_BY_SIDE = 132; // from this width on the list stands beside the selected patient
const LIST_WIDTH = { min: 78, max: 104 }; // a little more than half of the screen between these: names must be read whole
const MAX_ALARM_ROWS = 6;
const FACT_ROWS = 2;
const LOWER_ROWS = 7; // trend and heart rate
const HEART_WIDTH = 26;
const none: Rect = { left: 0, top: 0, width: 0, height: 0 };

/** From 40×10 up to any size: list above the strip, beside it when there is width, or one patient alone. */
export function layOut(view: View): Layout {
  const { width, height, detail } = view;
  const row = (top: number) => ({ left: 0, top, width, height: 1 });
  const edges = { header: row(0), system: row(1), notice: row(height - 2), footer: row(height - 1) };
  const body = { top: 2, height: Math.max(0, height - 4) };
  if (!detail && width >= SIDE_BY_SIDE) {
    const listWidth = Math.min(LIST_WIDTH.max, Math.max(LIST_WIDTH.min, Math.floor(width * 0.55)));
    const left = listWidth + 3;
    return {
      ...edges,
      list: { left: 0, ...body, width: listWidth },
      ...patientPart({ left, top: body.top, width: width - left - 1, height: body.height }, view, true),
    };
  }
  const listRows = detail ? 2 : Math.min(view.patients + 1, Math.max(3, body.height - 7));
  const list = { left: 0, top: body.top, width, height: Math.min(listRows, body.height) };
  const top = list.top + list.height + 1;
  return { ...edges, list, ...patientPart({ left: 1, top, width: width - 2, height: body.top + body.height - top }, view, detail) };
}

type PatientPart = Pick<Layout, 'stripTitle' | 'alarms' | 'strip' | 'facts' | 'trend' | 'heart'>;

function patientPart({ left, top, width, height }: Rect, view: View, withTrend: boolean): PatientPart {
  if (height < 3) return { stripTitle: none, alarms: none, strip: none, facts: none, trend: none, heart: none };
  // Alarms give way last: the strip keeps one row, what is known about the patient none.
  const alarms = Math.min(view.alarms, MAX_ALARM_ROWS, height - 2);
  const spare = height - alarms;
  const vitals = view.furtherVitals && spare >= 12 ? 1 : 0;
  const facts = spare >= 10 ? FACT_ROWS + 1 + vitals : spare >= 6 ? FACT_ROWS : 0;
  const lower = withTrend && spare >= 20 ? LOWER_ROWS : 0;
  const strip = spare - 1 - facts - (lower > 0 ? lower + 1 : 0);
  const factsTop = top + 1 + alarms + strip;
  const lowerTop = factsTop + facts + 1;
  const heart = lower > 0 && width >= 64 ? HEART_WIDTH : 0;
  return {
    stripTitle: { left, top, width, height: 1 },
    alarms: alarms > 0 ? { left, top: top + 1, width, height: alarms } : none,
    strip: { left, top: top + 1 + alarms, width, height: strip },
    facts: facts > 0 ? { left, top: factsTop, width, height: facts } : none,
    trend: lower > 0 ? { left, top: lowerTop, width: width - (heart > 0 ? heart + 2 : 0), height: lower } : none,
    heart: heart > 0 ? { left: left + width - heart, top: lowerTop, width: heart, height: lower } : none,
  };
}
