"""The page of all data sets: cases found, left out and unreadable, licences and citations."""

from html import escape

from uad.data import inventory
from uad.report import pages


def write_html(lines, simulated, path):
    """The table of data sets as a page for the report.

    Parameters
    ----------
    lines : list of dict
        What rule `inventory` wrote for each data set.
    simulated : bool
    path : path-like
    """
    rows = []
    for line in lines:
        source = escape(line["source"])
        cells = [
            f"<td><b>{escape(line['title'])}</b><br><span>{escape(line['modality'])}, "
            f"{escape(line['layout'])}</span></td>",
            *(f'<td class="n">{line[key]}</td>' for key in ("cases", "found", "needed")),
            f'<td class="n">{len(line["left_out"])}</td>',
            f'<td class="n">{len(line["unreadable"])}</td>',
            f"<td>{escape(inventory.state(line))}</td>",
            f'<td><a href="{source}">{source}</a><br><span>{escape(line["licence"])}</span></td>',
            f"<td>{escape(line['citation'])}</td>",
        ]
        rows.append(f"<tr>{''.join(cells)}</tr>")
    remarks = [
        f"<li>{escape(line['title'])}: <b>{escape(name)}</b>: {escape(reason)}</li>"
        for line in lines
        for name, reason in [*line["left_out"], *line["unreadable"]]
    ]
    remarks = remarks or ["<li>Nothing is left out, every file can be read.</li>"]
    body = _BODY.format(rows="\n".join(rows), remarks="\n".join(remarks))
    pages.write(path, "Data sets", body, [pages.SIMULATED] if simulated else [], _STYLE)


_STYLE = "td { vertical-align: top; white-space: normal; }\nli { max-width: 70rem; }\n"


_BODY = """\
<p>Cases in the complete archive, found, and needed by the splits; what is left out or cannot be
read is named below.</p>
<div class="scroll"><table>
<thead><tr><th>Data set</th><th>Archive</th><th>Found</th><th>Needed</th><th>Left out</th>
<th>Unreadable</th><th>State</th><th>Source, licence</th><th>To be cited</th></tr></thead>
<tbody>
{rows}
</tbody></table></div>
<ul>
{remarks}
</ul>
"""
