export type Rect = { readonly left: number; readonly top: number; readonly width: number; readonly height: number };

/** Where everything goes. A rect of no height is not shown. */
export type Layout = {
  readonly header: Rect;
  readonly list: Rect; // the column titles in its first row
  readonly stripTitle: Rect;
  readonly strip: Rect;
  readonly facts: Rect;
  readonly trend: Rect; // its title in the first row
  readonly heart: Rect; // likewise: the heart rate in large digits
  readonly footer: Rect;
};

export type View = { readonly width: number; readonly height: number; readonly patients: number; readonly detail: boolean };

const SIDE_BY_SIDE = 132; // from this width on the list stands beside the selected patient
const LIST_WIDTH = 78;
const FACT_ROWS = 2;
const LOWER_ROWS = 7; // trend and heart rate
const HEART_WIDTH = 26;
const none: Rect = { left: 0, top: 0, width: 0, height: 0 };

/** From 40×10 up to any size: list above the strip, beside it when there is width, or one patient alone. */
export function layOut(view: View): Layout {
  const { width, height, detail } = view;
  const header = { left: 0, top: 0, width, height: 1 };
  const footer = { left: 0, top: height - 1, width, height: 1 };
  const body = { top: 2, height: Math.max(0, height - 4) }; // one empty row under the header and one above the footer
  if (!detail && width >= SIDE_BY_SIDE) {
    const left = LIST_WIDTH + 3;
    return {
      header,
      footer,
      list: { left: 0, ...body, width: LIST_WIDTH },
      ...patientPart(left, body.top, width - left - 1, body.height, true),
    };
  }
  const listRows = detail ? 2 : Math.min(view.patients + 1, Math.max(3, body.height - 7));
  const list = { left: 0, top: body.top, width, height: Math.min(listRows, body.height) };
  const top = list.top + list.height + 1;
  return { header, footer, list, ...patientPart(1, top, width - 2, body.top + body.height - top, detail) };
}

function patientPart(
  left: number,
  top: number,
  width: number,
  height: number,
  withTrend: boolean,
): Omit<Layout, 'header' | 'footer' | 'list'> {
  if (height < 3) return { stripTitle: none, strip: none, facts: none, trend: none, heart: none };
  const facts = height >= 6 ? FACT_ROWS : 0;
  const lower = withTrend && height >= 19 ? LOWER_ROWS : 0;
  const strip = height - 1 - facts - (lower > 0 ? lower + 1 : 0);
  const lowerTop = top + 2 + strip + facts;
  const heart = lower > 0 && width >= 64 ? HEART_WIDTH : 0;
  return {
    stripTitle: { left, top, width, height: 1 },
    strip: { left, top: top + 1, width, height: strip },
    facts: facts > 0 ? { left, top: top + 1 + strip, width, height: facts } : none,
    trend: lower > 0 ? { left, top: lowerTop, width: width - (heart > 0 ? heart + 2 : 0), height: lower } : none,
    heart: heart > 0 ? { left: left + width - heart, top: lowerTop, width: heart, height: lower } : none,
  };
}
