"""Hand-written specimens of provider answers, in the shapes seen in real recordings, and small helpers around them."""

from __future__ import annotations

import gzip
import hashlib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors.contract import PartFetch
from warehouse.schema import Payload, Scope

UPSTREAM = Path(__file__).parents[2] / ".." / "shared" / "upstream"


def upstream(*folders: str) -> Path:
    """A folder of recorded answers; the test is skipped where they are not kept."""
    path = UPSTREAM.joinpath(*folders)
    if not path.exists():
        pytest.skip(f"the recorded answers are not here: ../shared/upstream/{'/'.join(folders)}")
    return path


def read(path: Path) -> bytes:
    """A file's bytes, unpacked when it is gzip."""
    content = path.read_bytes()
    return gzip.decompress(content) if path.suffix == ".gz" else content


def payload(
    content: bytes | str,
    url: str = "http://example.test/data",
    status: int = 200,
    headers: dict[str, str] | None = None,
) -> Payload:
    """An answer as the transport would hand it over, fetched on 2026-08-01."""
    body = content.encode() if isinstance(content, str) else content
    return Payload(
        sha256=hashlib.sha256(body).hexdigest(),
        content=body,
        method="GET",
        url=url,
        body=None,
        status=status,
        headers=headers or {},
        fetched_at=datetime(2026, 8, 1, 12, tzinfo=UTC),
    )


def fetched(part: str, *payloads: Payload, scope: Scope | None = None) -> PartFetch:
    """The answers of one part."""
    return PartFetch(part, payloads, None, scope or Scope())


#: SDMX-CSV, codes only, as the OECD answers format=csvfile: flags in three columns, a pseudo period, an empty value.
SBRD_CSV = """\
DATAFLOW,LOCATION,VAR,TIME_PERIOD,OBS_VALUE,OBS_STATUS,OBS_STATUS_2,OBS_STATUS_3,AUX_OBS_STATUS,CONF_STATUS
OECD.STI.STP:DSD_SBRD@DF_SBRD(1.4),KOR,G_XGDP,2018,4.27154,,,,,
OECD.STI.STP:DSD_SBRD@DF_SBRD(1.4),CHN,G_XGDP,2018,2.10232,A,,,,F
OECD.STI.STP:DSD_SBRD@DF_SBRD(1.4),CHN,G_XGDP,2017,2.08,E,D,P,M2,
OECD.STI.STP:DSD_SBRD@DF_SBRD(1.4),CHN,G_XGDP,2016,,,,,,C
OECD.STI.STP:DSD_SBRD@DF_SBRD(1.4),KOR,G_XGDP,2999,4.27154,,,,,
"""

#: The Data Explorer's CSV: a label behind every code, an empty twin behind the value.
LABELLED_CSV = """\
STRUCTURE,STRUCTURE_ID,STRUCTURE_NAME,ACTION,REF_AREA,Reference area,MEASURE,Measure,TIME_PERIOD,Time period,\
OBS_VALUE,Observation value,OBS_STATUS,Observation status,UNIT_MULT,Unit multiplier
DATAFLOW,X:DSD_Y@DF_Z(1.0),"A name, with comma",I,KOR,Korea,G,"Expenditure, total",2018,,85.7,,B,Break,6,Millions
DATAFLOW,X:DSD_Y@DF_Z(1.0),"A name, with comma",I,JPN,Japan,G,"Expenditure, total",2018,,,,,,6,Millions
"""

#: SDMX-ML 3.0 as the OECD writes it: no structure in the header, a namespace of its own, one series in two elements.
COMPACT_ML = """\
<?xml version="1.0" encoding="utf-8"?><!--NSI Web Service v8-->
<message:StructureSpecificData xmlns:message="http://www.sdmx.org/resources/sdmxml/schemas/v3_0/message"
 xmlns:ns1="urn:sdmx:org.sdmx.infomodel.datastructure.DataStructure=OECD.STI.STP:DSD_SBRD(1.2):compact">
<message:Header><message:ID>IREF1</message:ID><message:Test>false</message:Test>
<message:Prepared>2026-04-13T16:23:54</message:Prepared><message:Sender id="Disseminate_Final_DMZ" />
</message:Header><ns1:DataSet action="Information">
<ns1:Series LOCATION="KOR" VAR="G_XGDP"><ns1:Obs TIME_PERIOD="2018" OBS_VALUE="4.27154" /></ns1:Series>
<ns1:Series LOCATION="CHN" VAR="G_XGDP"><ns1:Obs TIME_PERIOD="2018" OBS_VALUE="2.10232" OBS_STATUS="A" />
<ns1:Obs TIME_PERIOD="2017" OBS_VALUE="2.08" OBS_STATUS="E" OBS_STATUS_2="D" OBS_STATUS_3="P" AUX_OBS_STATUS="M2" />
<ns1:Obs TIME_PERIOD="2016" CONF_STATUS="C" /></ns1:Series>
<ns1:Series LOCATION="KOR" VAR="G_XGDP"><ns1:Obs TIME_PERIOD="2999" OBS_VALUE="4.27154" /></ns1:Series>
</ns1:DataSet></message:StructureSpecificData>
"""

LEGACY_CSV = """\
"LOCATION","Country","IPC","TIME","Time","Unit.Code","Unit","PowerCode.Code","PowerCode","Value","Flag.Codes","Flags"
"DEU","Germany","TOTAL",1976,1976,"NBR","Number",0,"Units",5808.5667,,
"DEU","Germany","TOTAL",1977,1977,"NBR","Number",0,"Units",5275.4714,"P","Provisional"
"""

LEGACY_JSON = """\
{"header": {"prepared": "2021-06-19T14:06:41.689336Z"},
 "dataSets": [{"observations": {"0:0": [11.96, null], "1:0": [-2.10, 0], "1:1": [null, null]}}],
 "structure": {"name": "A table",
  "dimensions": {"observation": [
   {"id": "LOCATION", "values": [{"id": "KOR", "name": "Korea"}, {"id": "JPN", "name": "Japan"}]},
   {"id": "TIME_PERIOD", "values": [{"id": "2011", "name": "2011"}, {"id": "2012", "name": "2012"}]}]},
  "attributes": {"observation": [{"id": "TIME_FORMAT", "values": []},
   {"id": "OBS_STATUS", "values": [{"id": "x", "name": "significant"}]}]}}}
"""


def constraint(valid_from: str = "2026-04-13T14:23:54Z") -> str:
    """A content constraint in SDMX-ML 2.1."""
    schemas = "http://www.sdmx.org/resources/sdmxml/schemas/v2_1"
    return f"""<?xml version="1.0" encoding="utf-8"?>
<message:Structure xmlns:message="{schemas}/message" xmlns:structure="{schemas}/structure"
 xmlns:common="{schemas}/common">
<message:Header><message:ID>I1</message:ID><message:Test>false</message:Test>
<message:Prepared>2026-08-01T00:00:00</message:Prepared><message:Sender id="Unknown" /></message:Header>
<message:Structures><structure:Constraints><structure:ContentConstraint id="CR_A_DSD_SBRD@DF_SBRD"
 agencyID="OECD.STI.STP" version="1.0" validFrom="{valid_from}" isFinal="false" type="Actual">
<common:Annotations><common:Annotation id="obs_count"><common:AnnotationTitle>48</common:AnnotationTitle>
<common:AnnotationType>sdmx_metrics</common:AnnotationType></common:Annotation></common:Annotations>
<common:Name xml:lang="en">Availability</common:Name>
<structure:ConstraintAttachment><structure:Dataflow><Ref id="DSD_SBRD@DF_SBRD" version="1.4" agencyID="OECD.STI.STP"
 package="datastructure" class="Dataflow" /></structure:Dataflow></structure:ConstraintAttachment>
<structure:CubeRegion include="true"><common:KeyValue id="LOCATION"><common:Value>CHN</common:Value>
<common:Value>KOR</common:Value></common:KeyValue></structure:CubeRegion>
</structure:ContentConstraint></structure:Constraints></message:Structures></message:Structure>"""
