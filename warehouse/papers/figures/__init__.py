"""Figures and tables of the papers, recomputed: as rows, as pictures, as files to take away, with how to cite them.

exhibits   an exhibit as rows: printed, then, now
captions   the words around a picture
pictures   what a picture shows, free of how it is drawn
drawing    drawing it with matplotlib
charts     one exhibit in one language, in every size and format
citations  GB/T 7714
downloads  CSV, XLSX, SVG and PNG of one exhibit
export     a whole paper as a bundle

Does not belong here: pages (site), verdicts.
"""
